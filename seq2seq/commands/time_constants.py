"""Find how long each unit of a run keeps its memory."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text
from torch import Tensor

from seq2seq.commands.evaluate import with_data
from seq2seq.commands.report_folder import check_formats, report_folder, write_report
from seq2seq.config.contract import check_limit, read_options
from seq2seq.data.selection import spread_over
from seq2seq.errors import UserError
from seq2seq.interpretation.chosen_cells import check_layers, chosen_cells
from seq2seq.interpretation.memory_spans import MemorySpan, MemorySpans
from seq2seq.interpretation.span_plot import spans_figure
from seq2seq.runs.evaluation import load_dev_examples
from seq2seq.runs.forced_pairs import forced_batches
from seq2seq.runs.gold import check_gold
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.of_frames import refuse_forecaster
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.sourceless import refuse_language_model
from seq2seq.runs.watching_console import watching_console

_QUARTILES = (0.25, 0.5, 0.75)


def find_time_constants(config: DictConfig) -> dict[str, Any]:
    """Find the time constants of a run as a config says, write record and picture, and return the record.

    A table is printed on stderr. Raises UserError before anything is written.
    """
    options = read_options(config)
    check_formats(options["formats"])
    check_layers(options["layers"])
    check_limit(options)
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as an ensemble has no gates of its own: give run=DIR.")
    folder = report_folder(options, "time_constants")
    run = _load(options)
    data, examples = load_dev_examples(run, options["file"], options["split"])
    examples = spread_over(examples, options["limit"])
    check_gold(data, examples)
    spans, names = MemorySpans(run.model), _names(run, options)
    for source, lengths, target in forced_batches(run, examples):
        spans.add(source, lengths, target)
    found = {name: span for name, span in spans.spans().items() if name in names}
    record = {"data": data, "examples": len(examples), "cells": [_written(n, span) for n, span in found.items()]}
    _print(record)
    figure = spans_figure(found, title=f"time constants on {len(examples)} examples of {data}")
    write_report(folder, "time_constants", record, {"time_constants": figure}, options["formats"])
    return record


def _load(options: Mapping[str, Any]) -> LoadedRun:
    run = with_data(load_runs(options)[0], dict(options))
    refuse_language_model(run, options["run"], "time_constants")
    refuse_forecaster(run.config, options["run"], "time_constants")
    return run


def _names(run: LoadedRun, options: Mapping[str, Any]) -> list[str]:
    """The cells to look at. Raises UserError at one without a gate that keeps its memory, and where there is none."""
    known = list(MemorySpans(run.model).keep_gates)
    if not known:
        raise UserError(
            f"run must have a cell with a gate that keeps its memory, but no cell of {options['run']} has one: give "
            "another run."
        )
    names = chosen_cells(run.model, options["layers"], known)
    for name in names:
        if name not in known:
            raise UserError(
                f"layers must be of cells with a gate that keeps their memory, which {name} has not: give some of "
                f"{', '.join(own.replace(' ', '.') for own in known)}."
            )
    return names


def _written(name: str, span: MemorySpan) -> dict[str, Any]:
    length = span.steps / span.sentences
    return {
        "name": name,
        "steps": span.steps,
        "mean_length": round(length, 2),
        **{
            kind: {
                "quartiles": [round(value, 3) for value in _quartiles(values)],
                "longest": round(float(values.max()), 3),
                "beyond_mean_length": round(float((values > length).double().mean()), 4),
                "units": [round(value, 3) for value in values.tolist()],
            }
            for kind, values in (("of_product", span.of_product), ("of_mean", span.of_mean))
        },
    }


def _quartiles(values: Tensor) -> list[float]:
    return [float(values.quantile(share)) for share in _QUARTILES]


def _print(record: Mapping[str, Any]) -> None:
    """Print quartiles of units, as a table on stderr."""
    table = Table(title=Text(f"steps until 1/e is left, on {record['data']} ({record['examples']} examples)"))
    table.add_column("", min_width=18)
    for name in ("length", "1/4 below", "median", "3/4 below", "longest", "beyond length", "median by mean"):
        table.add_column(name, justify="right")
    for row in record["cells"]:
        own = row["of_product"]
        numbers = [row["mean_length"], *own["quartiles"], own["longest"]]
        said = [*(f"{number:.2f}" for number in numbers), f"{100 * own['beyond_mean_length']:.1f} %"]
        table.add_row(Text(row["name"]), *said, f"{row['of_mean']['quartiles'][1]:.2f}")
    watching_console(120).print(table)
