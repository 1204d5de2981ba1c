"""Find what precision leaves of a value that a cell has stored."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text

from seq2seq.commands.interpreting.report_folder import check_formats, folder_here, write_report
from seq2seq.config.contract import check_counts, check_distinct, check_type, read_options
from seq2seq.errors import UserError
from seq2seq.interpretation.erosion import MIXED, PRECISIONS, Erosion, check_time_constant, erosion, make_latch
from seq2seq.interpretation.erosion_plot import erosion_figure
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.runs.lone_cells import CellKind, cell_kinds, names_of
from seq2seq.runs.watching_console import watching_console

logger = logging.getLogger(__name__)
_PATHS = ("kernel", "equations")
_MARKS = 6  # of the steps, between a power of ten and the next


def find_erosion(config: DictConfig) -> dict[str, Any]:
    """Store values in cells as a config says, write record and picture of what is left, and return the record.

    A table is printed on stderr. Raises UserError before anything is computed.
    """
    options = read_options(config)
    _check(options)
    folder = folder_here(options, "erosion")
    kinds = cell_kinds(options["kinds"], options["cells"])
    _refuse_gateless(options)
    found: dict[str, list[Erosion]] = {}
    for name, kind in kinds.items():
        found[name] = list(_of_cell(name, kind, options))
        logger.info("%d of %d: %s", len(found), len(kinds), name)
    _print(found, options)
    record = {
        **{name: options[name] for name in ("time_constant", "steps")},
        "found": [{"cell": name, **_rounded(one)} for name, rows in found.items() for one in rows],
    }
    drawn = {name: rows for name, rows in found.items() if rows}
    figures = {"erosion": erosion_figure(drawn, title=_title(options))}
    write_report(folder, "erosion", record, figures, options["formats"])
    return record


def _check(options: Mapping[str, Any]) -> None:
    check_formats(options["formats"])
    check_counts(options, hidden_size=1, steps=1)
    check_type("time_constant", options["time_constant"], float)
    check_time_constant(float(options["time_constant"]))
    for name, known in (("precisions", (*PRECISIONS, MIXED)), ("paths", _PATHS)):
        given: Any = options[name]
        if not isinstance(given, list) or not given or not set(map(str, given)) <= set(known):
            raise UserError(f"{name} must be a list of some of {', '.join(known)}, but is {given!r}.")
        check_distinct(name, given)


def _refuse_gateless(options: Mapping[str, Any]) -> None:
    """Raise UserError at a cell without a gate that keeps its memory, with those that have one."""
    keeping = names_of(options["kinds"], lambda kind: kind.keep_gate is not None)
    for name in options["cells"]:
        if name not in keeping:
            raise UserError(
                f"cells must have a gate that keeps their memory, to store a value by it, but {name} has none: give "
                f"some of {', '.join(keeping)}."
            )


def _of_cell(name: str, kind: CellKind, options: Mapping[str, Any]) -> Iterator[Erosion]:
    """Values that are left, by precision and path; one where a cell has no other path but the equations."""
    cell, marks = kind(1, options["hidden_size"]), _marks(options["steps"])
    make_latch(cell, float(options["time_constant"]))
    has_kernel = type(cell).unroll is not Cell.unroll
    for precision in options["precisions"]:
        for path in options["paths"]:
            if path == "kernel" and not has_kernel and "equations" in options["paths"]:
                continue
            try:
                yield erosion(cell, precision, marks, fused=path == "kernel")
            except RuntimeError as error:
                logger.warning("%s, %s, %s: not computed here: %s", name, precision, path, str(error).splitlines()[0])


def _marks(steps: int) -> list[int]:
    """Numbers of steps at which is looked, closer at first."""
    powers = (round(10 ** (number / _MARKS)) for number in range(100))
    return [*sorted({mark for mark in powers if mark < steps}), steps]


def _rounded(found: Erosion) -> dict[str, Any]:
    shares = {name: [round(share, 6) for share in getattr(found, name)] for name in ("left", "exact")}
    return asdict(found) | shares | {"spread": round(found.spread, 6)}


def _title(options: Mapping[str, Any]) -> str:
    return f"latches of {options['time_constant']:g} steps: what is left of a value"


def _print(found: Mapping[str, Sequence[Erosion]], options: Mapping[str, Any]) -> None:
    """Print what is left at the end, as a table on stderr."""
    table = Table(title=Text(f"left after {options['steps']:,} steps, time constant {options['time_constant']:g}"))
    for name in ("cell", "precision", "path", "exact", "left", "spread over units"):
        table.add_column(name, justify="right" if name in ("exact", "left", "spread over units") else "left")
    for name, rows in found.items():
        table.add_section()
        for row in rows:
            numbers = (f"{value:.4f}" for value in (row.exact[-1], row.left[-1], row.spread))
            table.add_row(Text(name), row.precision, row.by, *numbers)
            name = ""
    watching_console().print(table)
