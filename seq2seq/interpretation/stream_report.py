"""A report of how an encoder read a long stream, as one HTML page that needs nothing else."""

import base64
import html
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from io import BytesIO

from matplotlib.figure import Figure
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.interpretation.plots import time_constants_figure
from seq2seq.interpretation.stream_plots import marks_figure, stream_figure
from seq2seq.interpretation.stream_reader import Mark, StreamReader
from seq2seq.interpretation.stream_statistics import CellStatistics

_MOST = 1e6  # tokens, beyond which a time constant is as good as endless


def stream_figures(reader: StreamReader, *, title: str) -> dict[str, Figure]:
    """Pictures of a stream that was read, by name: each cell, time constants, and what came before marks."""
    cells = [cell for cell in reader.cells if cell.memory is not None]
    figures = {f"stream {cell.name}": stream_figure(cell, reader, title=f"{title}: {cell.name}") for cell in cells}
    constants = {cell.name: steps.float() for cell in cells if (steps := cell.time_constants) is not None}
    if constants:
        figures["time constants"] = time_constants_figure(constants, title=f"Time constants: {title}", of="tokens")
    if any(mark.changed for mark in reader.marks):
        figures["marks"] = marks_figure(reader.marks)
    return figures


def check_finite(reader: StreamReader) -> None:
    """Check what was read. Raises UserError where an activation was not finite: there is nothing to show but that."""
    for cell in reader.cells:
        if not all(bool(values.sums.isfinite().all()) for values in (*cell.gates.values(), cell.norm)):
            raise UserError(
                f"Activations of {cell.name} are not finite: train the run again with a lower learning rate or "
                "gradients clipped to less, or begin the state anew more often, with a smaller renew=N."
            )


def stream_report(reader: StreamReader, figures: Mapping[str, Figure], *, title: str, run: str, units: int) -> str:
    """The page as HTML, with the pictures in it and the slowest `units` of all cells."""
    folder = files("seq2seq.interpretation") / "page"
    cells = [cell for cell in reader.cells if cell.memory is not None]
    own = {name: figure for name, figure in figures.items() if name.startswith("stream ")}
    parts = {
        "title": html.escape(title),
        "summary": html.escape(_summary(reader, run)),
        "style": (folder / "report.css").read_text(encoding="utf-8"),
        "cells": "".join(map(_cell_row, cells)),
        "constants": _pictures({name: figures[name] for name in figures if name == "time constants"}),
        "slowest": "".join(_slowest(cells, units)),
        "marks": _marks(reader.marks, figures.get("marks")),
        "pictures": _section("Gates, memory and resets over the stream", _NOTE, _pictures(own)),
    }
    page = (folder / "stream.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


_NOTE = (
    "A line is the median of units in a stretch of the stream, the dark band holds the middle half of them and the "
    "light one nine tenths. Of the memory's norm there are mean and maximum. Grey: the state was renewed. Red: marks."
)


def _summary(reader: StreamReader, run: str) -> str:
    resets = reader.resets.total
    renewed = "never" if resets == 0 else f"{resets:,} times"
    return f"{reader.tokens:,} tokens, read by {run}. The state was renewed {renewed} on the way."


def _cell_row(cell: CellStatistics) -> str:
    constants = cell.time_constants
    steps = ["–"] * 3 if constants is None else [_steps(constants.quantile(share)) for share in (0.5, 0.9, 1.0)]
    stuck = ", ".join(f"{name} {low:.0%} / {high:.0%}" for name, (low, high) in cell.saturation.items())
    return f'        <tr><th scope="row">{cell.name}</th>{_columns([*steps, stuck])}</tr>\n'


def _slowest(cells: Iterable[CellStatistics], units: int) -> Iterable[str]:
    """Rows of the units whose memory lasts longest, of all cells together."""
    found = []
    for cell in cells:
        kept, constants = cell.kept, cell.time_constants
        if kept is None or constants is None or cell.memory is None:
            continue
        wide = len(kept) == len(cell.memory.mean)  # else one gate is for several units
        for number, steps in enumerate(constants.tolist()):
            memory = f"{float(cell.memory.mean[number]):+.3f}" if wide else "–"
            found.append((steps, cell.name, number, float(kept[number]), memory))
    for steps, name, number, mean, memory in sorted(found, key=lambda row: -row[0])[:units]:
        columns = [str(number), _steps(steps), f"{mean:.4f}", memory]
        yield f'        <tr><th scope="row">{name}</th>{_columns(columns)}</tr>\n'


def _marks(marks: list[Mark], figure: Figure | None) -> str:
    """The section of marked places; nothing without any."""
    if not marks:
        return ""
    rows = "".join(
        f"        <tr>{_columns(_mark_columns(number, mark))}</tr>\n" for number, mark in enumerate(marks, 1)
    )
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("", "Mark", "Token", "Changed most, deviations", "Before it")
    )
    table = f'    <div class="scroll"><table>\n      <thead><tr>{heads}</tr></thead>\n      <tbody>\n{rows}'
    pictures = "" if figure is None else _pictures({"marks": figure})
    note = (
        "Tokens before each mark, and the units whose memory was then furthest from its mean over the stream before, "
        "in deviations: blue above, red below. Surroundings are kept of the first few marks."
    )
    return _section("What came before each mark", note, table + "      </tbody></table></div>\n" + pictures)


def _mark_columns(number: int, mark: Mark) -> list[str]:
    changed = ", ".join(f"{unit.cell}: {unit.number} ({unit.mean:+.1f})" for unit in mark.changed[:3])
    return [str(number), mark.label, f"{mark.place:,}", changed or "–", " ".join(mark.pieces[-12:])]


def _section(title: str, note: str, inside: str) -> str:
    return f'  <section>\n    <h2>{title}</h2>\n    <p class="note">{note}</p>\n{inside}  </section>\n'


def _pictures(figures: Mapping[str, Figure]) -> str:
    return "".join(
        f'    <img class="training" alt="{html.escape(name)}" src="data:image/png;base64,{_png(figure)}">\n'
        for name, figure in figures.items()
    )


def _png(figure: Figure) -> str:
    data = BytesIO()
    figure.savefig(data, format="png", dpi=100)
    return base64.b64encode(data.getvalue()).decode("ascii")


def _columns(texts: Iterable[str]) -> str:
    return "".join(f"<td>{html.escape(text)}</td>" for text in texts)


def _steps(value: float | Tensor) -> str:
    steps = float(value)
    return "over 1,000,000" if steps > _MOST else f"{steps:,.1f}"
