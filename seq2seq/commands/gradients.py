"""Measure how much of a loss reaches states by how far back they lie, of runs or of fresh cells."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from omegaconf import DictConfig

from seq2seq.commands.evaluate import with_data
from seq2seq.commands.interpreting.report_folder import check_formats, folder_here, report_folder, write_report
from seq2seq.config.contract import check_counts, check_limit, check_seed, check_type, read_options
from seq2seq.data.frame_reader import FrameReader
from seq2seq.errors import UserError
from seq2seq.interpretation.chosen_cells import check_layers, chosen_cells
from seq2seq.interpretation.flow_plot import flow_figure
from seq2seq.interpretation.forced_lines import ForcedLines
from seq2seq.interpretation.gradient_flow import PATHS, Flow, ModelFlow, cell_flow, has_flow, paths_of
from seq2seq.interpretation.trace import named_cells
from seq2seq.layers.recurrent.cells.memory import MemoryCell
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.flow_table import print_flows
from seq2seq.runs.lone_cells import cell_kinds, names_of
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.of_frames import refuse_forecaster
from seq2seq.runs.probed_lines import examples_to_force, forced_lines
from seq2seq.runs.run import LoadedRun, build_model
from seq2seq.runs.sourceless import refuse_language_model

logger = logging.getLogger(__name__)
Curves = dict[str, dict[str, Flow]]  # by name and by way back
# Options as the config has them where they are not given, of runs and of fresh cells alone.
OF_RUNS = {
    **{"layers": None, "initial": False, "loss": "tokens", "file": None, "split": None, "limit": 64},
    **{"max_tokens": 1024, "data": None, "device": "auto"},
}
OF_CELLS = {"forget_bias": None, "hidden_size": 64, "length": 60}
SEED = 1
_ROWS, _LOSSES = 16, 16  # sequences that a fresh cell reads, and losses at the end of each


def gradients(config: DictConfig) -> dict[str, Any]:
    """Find gradients by distance as a config says, write record and picture, and return the record.

    A table is printed on stderr. Raises UserError before anything is written.
    """
    options = read_options(config)
    _check(options)
    fresh = options["cells"] is not None
    lone = not fresh and not isinstance(options["run"], list)
    folder = report_folder(options, "gradients") if lone else folder_here(options, "gradients")
    title, curves = _of_cells(options) if fresh else _of_runs(options)
    print_flows(curves, title)
    record = {
        "data": title,
        "curves": [
            {"name": name, **asdict(flow), "rate": flow.rate()}
            for name, flows in curves.items()
            for flow in flows.values()
        ],
    }
    figures = {"gradients": flow_figure(curves, title=title)}
    write_report(folder, "gradients", record, figures, options["formats"])
    return record


def _check(options: Mapping[str, Any]) -> None:
    """Raise UserError at an option that is none, and at one that has no effect on what is asked."""
    check_formats(options["formats"])
    check_seed(options)
    runs, cells = (options[name] is not None for name in ("run", "cells"))
    if runs == cells:
        raise UserError(
            f"run or cells must be given, but {'both are' if runs else 'neither is'}: run=DIR for trained cells, "
            '"cells=[lstm,gru]" for fresh ones.'
        )
    for name, usual in (OF_CELLS if runs else OF_RUNS).items():
        if options[name] != usual and not (name == "data" and not options[name]):
            raise UserError(f"{name} must be left out with {'run' if runs else 'cells'}, but is {options[name]!r}.")
    if runs:
        check_type("initial", options["initial"], bool)
        check_layers(options["layers"])
        if options["loss"] not in ("tokens", "readout"):
            raise UserError(f"loss must be tokens or readout, but is {options['loss']!r}.")
        check_limit(options)
        check_counts(options, max_tokens=1)
        if options["seed"] != SEED and not options["initial"]:
            raise UserError(
                f"seed must be left out with run, but is {options['seed']}: it is of fresh weights, initial=true."
            )


def _of_cells(options: Mapping[str, Any]) -> tuple[str, Curves]:
    """A title and the curves of fresh cells, in float64, which vanishing gradients do not leave."""
    check_counts(options, hidden_size=1, length=2)
    kinds, size, length = options["kinds"], options["hidden_size"], options["length"]
    possible = names_of(kinds, lambda kind: not issubclass(kind, MemoryCell))
    curves: Curves = {}
    wanted = cell_kinds(kinds, options["cells"], options["forget_bias"])
    for name in options["cells"]:
        if name not in possible:
            raise UserError(
                f"cells must have a state of units, to have gradients by distance, but {name} has a memory of values "
                f"beside it: give some of {', '.join(possible)}."
            )
    for name, kind in wanted.items():
        torch.manual_seed(options["seed"])
        cell = kind(size, size).double()
        inputs = torch.randn(_ROWS, length + _LOSSES, size, dtype=torch.float64)
        curves[name] = {path: cell_flow(cell, inputs, path, losses=_LOSSES) for path in paths_of(cell)}
        logger.info("%d of %d: %s", len(curves), len(wanted), name)
    return f"fresh cells of {size} units on normal inputs", curves


def _of_runs(options: Mapping[str, Any]) -> tuple[str, Curves]:
    """A title and the curves of trained cells, of all runs on the same examples."""
    runs = {str(path): _load(path, options) for path in _paths(options)}
    names = {path: _names(path, run.model, options["layers"]) for path, run in runs.items()}
    data, lines = _lines(runs, options, [name for own in names.values() for name in own])
    curves: Curves = {}
    for path, run in runs.items():
        before = f"{path}: " if len(runs) > 1 else ""
        for name, model in _models(run, options):
            for cell, flows in _model_curves(model, lines[path], names[path], options["loss"]).items():
                curves[f"{before}{cell}{name}"] = flows
    counts = dict.fromkeys(str(len(own)) for own in lines.values())  # tokenizers may differ in what is too long
    return f"{' and '.join(counts)} examples of {data}", curves


def _lines(
    runs: Mapping[str, LoadedRun], options: Mapping[str, Any], names: Sequence[str]
) -> tuple[str, dict[str, ForcedLines]]:
    """A name for the examples of the first run, and the lines that they are to each; told where others know less.

    Raises UserError where some runs read frames and some text.
    """
    (path, first), *others = runs.items()
    for other, run in others:
        kinds = ["frames" if isinstance(one.tokenizers.source, FrameReader) else "text" for one in (first, run)]
        if kinds[0] != kinds[1]:
            raise UserError(
                f"run must name runs that read the same examples, but {path} reads {kinds[0]} and {other} {kinds[1]}: "
                "look at them one by one."
            )
    data, examples = examples_to_force(first, options, names)
    limit = {"max_tokens": options["max_tokens"]}
    lines = {path: forced_lines(run.tokenizers, data, examples, limit) for path, run in runs.items()}
    for other, _ in others:
        if lines[other].lines_with_unknown > lines[path].lines_with_unknown:
            logger.warning(
                "%d of %d lines have pieces that %s has never seen, and are read or written as unknown by it; of %s %d",
                *(lines[other].lines_with_unknown, len(lines[other]), other, path, lines[path].lines_with_unknown),
            )
    return data, lines


def _paths(options: Mapping[str, Any]) -> list[Any]:
    """The runs that options name. Raises UserError at one that comes twice."""
    paths = options["run"] if isinstance(options["run"], list) else [options["run"]]
    if len(set(map(str, paths))) < len(paths):
        raise UserError(
            f"run must name each run once, to tell their curves apart, but is {', '.join(map(str, paths))}."
        )
    return paths


def _load(path: Any, options: Mapping[str, Any]) -> LoadedRun:
    run = with_data(load_runs({"run": path, "device": options["device"]})[0], dict(options))
    refuse_language_model(run, path, "gradients")
    refuse_forecaster(run.config, path, "gradients")
    return run


def _models(run: LoadedRun, options: Mapping[str, Any]) -> Iterator[tuple[str, Seq2Seq]]:
    """The trained model, and where it is asked for the same one with fresh weights, each behind what names it."""
    yield "", run.model
    if options["initial"]:
        torch.manual_seed(options["seed"])
        device = next(run.model.parameters()).device
        yield ", fresh", build_model(run.config, run.tokenizers).eval().to(device)


def _model_curves(model: Seq2Seq, lines: ForcedLines, names: Sequence[str], loss: str) -> Curves:
    """The curves of the cells of a model, by name and way back."""
    known = named_cells(model)
    curves: Curves = {name: {} for name in names}
    for path in PATHS:
        ways = [name for name in names if path in paths_of(known[name])]
        flow = ModelFlow(model, ways, loss=loss, path=path)
        if ways:
            for batch in lines.batches(next(model.parameters()).device):
                flow.add(*batch)
            for name, found in flow.flows().items():
                curves[name][path] = found
    return curves


def _names(path: str, model: Seq2Seq, layers: list[str] | None) -> list[str]:
    """The cells to look at. Raises UserError at one that the model lacks, or that has no gradients by distance."""
    possible = [name for name in named_cells(model) if has_flow(model, name)]
    if not possible:
        raise UserError(
            "run must have a cell with a state of units that reads whole sentences, to have gradients by distance, "
            f"but no cell of {path} is one: give another run."
        )
    names = chosen_cells(model, layers, possible)
    for name in names:
        if name not in possible:
            raise UserError(
                f"layers must be of cells with a state of units that read whole sentences, which {name} is not: give "
                f"some of {', '.join(own.replace(' ', '.') for own in possible)}."
            )
    return names
