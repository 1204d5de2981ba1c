"""Find the lengths of tasks up to which cells learn to remember."""

import logging
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text

from seq2seq.commands.interpreting.report_folder import check_formats, folder_here, write_report
from seq2seq.config.contract import check_counts, check_seed, check_type, read_options
from seq2seq.errors import UserError
from seq2seq.interpretation.horizon_plot import horizon_figure
from seq2seq.runs.lone_cells import cell_kinds
from seq2seq.runs.watching_console import watching_console
from seq2seq.training.recall import RecallRow, RecallTraining, recall_rows
from seq2seq.training.recall_tasks import recall_task

logger = logging.getLogger(__name__)
_HIGHEST_RATE = 3.4e37  # of Adam, whose first step takes ten times as much, which float32 has to hold
_LEAST = 2  # steps: an adding task has a number in either half


def find_horizon(config: DictConfig) -> dict[str, Any]:
    """Train cells on a task of growing length as a config says, write record and picture, and return the record.

    A table is printed on stderr. Raises UserError before anything is trained.
    """
    options = read_options(config)
    _check(options)
    task, folder = recall_task(options["task"]), folder_here(options, "horizon")
    seeds = options["seeds"], options["seed"]
    training = RecallTraining(options["steps"], options["batch_size"], float(options["lr"]), *seeds)
    kinds = cell_kinds(options["kinds"], options["cells"], options["forget_bias"])
    found = recall_rows(
        kinds, task, options["lengths"], training, hidden_size=options["hidden_size"], enough=float(options["enough"])
    )
    rows = []
    for row in found:
        rows.append(row)
        logger.info("%d of %d: %s, %s", len(rows), len(kinds), row.name, _said(row))
    _print(rows, options)
    record = {
        **{name: options[name] for name in ("task", "enough", "seed", "steps", "batch_size", "lr")},
        "cells": [_written(row) for row in rows],
    }
    figure = horizon_figure({row.name: row.scores for row in rows}, float(options["enough"]), title=_title(options))
    write_report(folder, "horizon", record, {"horizon": figure}, options["formats"])
    return record


def _check(options: Mapping[str, Any]) -> None:
    check_formats(options["formats"])
    check_counts(options, seeds=1, hidden_size=1, steps=1, batch_size=1)
    check_seed(options, options["seeds"])
    for name in ("lr", "enough"):
        check_type(name, options[name], float)
    if not 0 < options["lr"] <= _HIGHEST_RATE:
        raise UserError(f"lr must be above 0 and at most {_HIGHEST_RATE:g}, but is {options['lr']}.")
    if not 0 < options["enough"] <= 100:
        raise UserError(f"enough must be above 0 and at most 100 percent, but is {options['enough']}.")
    lengths: Any = options["lengths"]
    if not isinstance(lengths, list) or not lengths or not all(type(one) is int and one >= _LEAST for one in lengths):
        raise UserError(f"lengths must be a list of whole numbers of at least {_LEAST}, but is {lengths!r}.")
    if lengths != sorted(set(lengths)):
        raise UserError(
            f"lengths must be in rising order, as a cell that fails at one is not tried at longer: {lengths}."
        )


def _title(options: Mapping[str, Any]) -> str:
    seeds = options["seeds"]
    return f"{options['task']}: mean of {seeds} seed{'s' * (seeds > 1)}, at most {options['steps']} steps of training"


def _said(row: RecallRow) -> str:
    if row.falls_at is None:
        return f"not below {row.enough:g} % at {row.reaches} steps"
    return f"below {row.enough:g} % at {row.falls_at} steps"


def _written(row: RecallRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "hidden_size": row.hidden_size,
        "parameters": row.parameters,
        "reaches": row.reaches,
        "falls_at": row.falls_at,
        "scores": [
            {"length": length, "mean": round(mean(own), 2), "seeds": [round(score, 2) for score in own]}
            for length, own in row.scores.items()
        ],
    }


def _print(rows: Sequence[RecallRow], options: Mapping[str, Any]) -> None:
    """Print the mean score at each length, as a table on stderr."""
    table = Table(title=Text(f"{_title(options)}; right answers, %"))
    for name in ("cell", "size", "parameters", *map(str, options["lengths"]), f"below {options['enough']:g} % at"):
        table.add_column(name, justify="left" if name == "cell" else "right")
    for row in rows:
        scores = [f"{mean(row.scores[length]):.1f}" if length in row.scores else "" for length in options["lengths"]]
        falls = "not yet" if row.falls_at is None else str(row.falls_at)
        table.add_row(Text(row.name), str(row.hidden_size), f"{row.parameters:,}", *scores, falls)
    watching_console().print(table)
