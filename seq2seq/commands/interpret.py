"""Draw pictures and write a report of what a run does with a text."""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from omegaconf import DictConfig
from torch import Tensor

from seq2seq.commands.interpreting.interpret_stream import OF_STREAMS, interpret_stream, refuse_search
from seq2seq.commands.interpreting.read_source import read_source
from seq2seq.commands.interpreting.report_folder import check_formats, report_folder, write_pages
from seq2seq.config.builder import build
from seq2seq.config.contract import check_counts, read_options
from seq2seq.config.job import given_overrides
from seq2seq.data.copied_pieces import pieces_of
from seq2seq.data.text import check_whole
from seq2seq.errors import UserError
from seq2seq.interpretation.attribution import SCORES, gradient_times_input, integrated_gradients, occlusion
from seq2seq.interpretation.frame_attention_plot import attention_over_frames
from seq2seq.interpretation.gates import time_constants
from seq2seq.interpretation.health_rules import not_taken
from seq2seq.interpretation.line_plot import attention_over_line
from seq2seq.interpretation.memory_plot import memory_figure
from seq2seq.interpretation.plots import (
    attention_figure,
    attribution_figure,
    copying_figure,
    gates_figure,
    time_constants_figure,
)
from seq2seq.interpretation.report import InterpretedPair, report
from seq2seq.interpretation.trace import trace
from seq2seq.interpretation.training_curves import CURVES, TrainingCurves
from seq2seq.interpretation.training_plots import training_figure
from seq2seq.interpretation.vital_plot import vital_figure
from seq2seq.layers.inputs.input import Input
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import last_checkpoint
from seq2seq.runs.kept_vital_signs import kept_vital_signs
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.of_frames import refuse_forecaster
from seq2seq.runs.run import LoadedRun, pick_device
from seq2seq.runs.series_file import reads_lines
from seq2seq.runs.sourceless import refuse_language_model
from seq2seq.shapes import Source
from seq2seq.symbols import BOS, EOS
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)


def interpret(config: DictConfig) -> list[Path]:
    """Write the report and the pictures and return their paths, the report first.

    Raises UserError before anything is written.
    """
    options = read_options(config)
    if options["stream"] is not None:
        return interpret_stream(options)
    check_options(options, given_overrides())
    given = options["text"] if options["frames"] is None else Path(str(options["frames"])).stem
    folder = report_folder(options, str(given))
    run = load_runs(options)[0]
    reading = read(run, options)
    page = report(reading, units=options["units"])
    return write_pages(folder, {"report.html": page}, figures_of(reading), options["formats"])


def read(run: LoadedRun, options: Mapping[str, Any], given: Any = None) -> InterpretedPair:
    """A reading of what the model does with a source, and with the target that it finds or is given.

    The source is that which the options name, or the text or series that is given.
    """
    refuse_language_model(run, options["run"], "interpret")
    refuse_forecaster(run.config, options["run"], "interpret")
    model, found = run.model, read_source(run, options, given)
    device = next(model.parameters()).device
    text, pieces = found.given, found.pieces
    target = torch.tensor([[BOS, *_target(run, text, options)]])
    source, target = found.source.to(device), target.to(device)
    logger.info("tracing %d source and %d target tokens", source.shape[1], target.shape[1] - 1)
    written = target[0, 1:].tolist()
    reading = InterpretedPair(
        text=found.name,
        output=run.tokenizers.decode([text], [[index for index in written if index != EOS]])[0],
        run=str(options["run"]),
        forced=options["target"] is not None,
        source=pieces if found.frames else _unmarked(pieces),
        frames=_shown(model.encoder.input, source),
        line=found.frames and reads_lines(run.config),
        target=_unmarked(pieces_of(run.tokenizers, written, text)),
        trace=trace(model, source, torch.tensor([source.shape[1]], device=device), target),
        probe=_numbers(options["probe"]),
        training=_training(str(options["run"])),
        attends=model.attends,
        not_taken=not_taken(model),
    )
    reading.probed()  # a mistake in it shows before the long part
    logger.info("attributing")
    score = options["score"]
    first = integrated_gradients(model, source, target, score=score, steps=options["steps"])
    others = (method(model, source, target, score=score) for method in (occlusion, gradient_times_input))
    return replace(reading, attributions=[first, *others])


def _shown(reader: Input, source: Source) -> Float[Tensor, "source value"] | None:
    """The frames as they are drawn, `source value`; None of tokens."""
    return None if (frames := reader.shown(source)) is None else frames[0]


def _training(run: str) -> TrainingCurves | None:
    """The curves of a run while it learnt, up to its last checkpoint; None where none was kept, or the run is gone."""
    if not Path(run).exists():  # since it was loaded
        return None
    checkpoint = last_checkpoint(Path(run)) if Path(run).is_dir() else Path(run)
    known = read_checkpoint(checkpoint).get("callbacks", {}).get(CURVES)
    if not known or not known["points"]:
        return None
    return replace(TrainingCurves.of(known["points"]), signs=tuple(kept_vital_signs(run)))


def check_options(options: Mapping[str, Any], chosen: Iterable[str]) -> None:
    """Raise UserError at an option that is of no use for reading a text; `chosen` are overrides, or keywords."""
    check_counts(options, steps=1, units=1, max_source_tokens=1)
    if options["text"] is None and options["frames"] is None:
        raise UserError(
            'text, frames or stream must be given: text="..." looks into one translation, frames=FILE into that of a '
            "series, stream=FILE at a long text."
        )
    if options["text"] is not None and options["frames"] is not None:
        raise UserError("text must be left out beside frames, which are read in its place.")
    for name, default in OF_STREAMS.items():
        if options[name] != default:
            raise UserError(
                f"{name} is of a stream, and one source has none of it: leave {name} out, or give stream=FILE."
            )
    for name in ("run", "text" if options["frames"] is None else "frames"):
        _check_line(name, options[name], empty=False)
    if options["target"] is not None:
        _check_line("target", options["target"], empty=True)
        refuse_search("target", chosen)
    for name in ("text", "target"):
        check_whole(str(options[name]), name)
    check_formats(options["formats"])
    if options["score"] not in SCORES:
        raise UserError(f"score must be one of {', '.join(SCORES)}, but is {options['score']!r}.")


def _check_line(name: str, given: Any, *, empty: bool) -> None:
    """Raise UserError at what is not one text, or number."""
    if isinstance(given, list | dict) or given is None or not (empty or str(given).strip()):
        raise UserError(f"{name} must be one {'run' if name == 'run' else 'line'}, but is {given!r}.")


def _target(run: LoadedRun, text: str, options: Mapping[str, Any]) -> list[int]:
    """Ids of the given target and EOS, or of the best translation and EOS if it ended by itself."""
    if options["target"] is not None:
        return [*run.tokenizers.encode_pairs([text], [str(options["target"])])[1][0], EOS]
    device = pick_device(str(options["device"]))
    search = build(options["decoding"], "decoding")
    longest = options["max_source_tokens"]
    translator = Translator(run.model, run.tokenizers, search, max_source_tokens=longest, device=device)
    (best,) = translator.hypotheses([text])
    return [*best.ids, *([EOS] if best.finished or not best.ids else [])]


def _unmarked(pieces: list[str]) -> list[str]:
    """Pieces without SentencePiece's sign for a space, where each but the end begins with it and is more than it."""
    marked = [len(piece) > 1 and piece.startswith("\u2581") for piece in pieces[:-1]]
    return [piece.removeprefix("\u2581") for piece in pieces] if all(marked) else pieces


def _numbers(given: Any) -> list[float] | None:
    """Numbers of a list, or of text like 0,1,1 or [0,1,1]; None for None. Raises UserError at anything else."""
    if given is None:
        return None
    parts = given if isinstance(given, list) else str(given).strip("[] ").split(",")
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise UserError(f"probe must be numbers, one per source token and one for its end, but is {given!r}.")
    return numbers


def _attention(reading: InterpretedPair, title: str) -> Figure:
    weights = reading.trace.weights[0]
    if reading.frames is not None:
        draw_over = attention_over_line if reading.line else attention_over_frames
        return draw_over(weights, reading.frames, reading.target, title=title)
    return attention_figure(weights, reading.source, reading.target, title=title)


def figures_of(reading: InterpretedPair) -> dict[str, Figure]:
    """Pictures of a reading by name: attention, copying, attributions, gates of each cell, memory, time constants.

    There is none of what the model does not have.
    """
    cells = reading.trace.cells.values()
    source, target = reading.source, reading.target
    pair = f"{reading.text} \u2192 {reading.output}"
    figures = {}
    if reading.attends:
        figures["attention"] = _attention(reading, f"Attention: {pair}")
    if reading.trace.copying is not None:
        figures["copying"] = copying_figure(reading.trace.copying, target, title=f"Copying: {pair}")
    for own in reading.attributions:
        figures[own.method] = attribution_figure(own.shares, source, target, title=f"{own.method.capitalize()}: {pair}")
    for cell in cells:
        name = f"gates of {cell.name}"
        figures[name] = gates_figure(cell, reading.pieces(cell), title=f"{name.capitalize()}: {pair}")
    if beside := [cell for cell in cells if "push" in cell.gates]:
        shown = [(cell, reading.pieces(cell)) for cell in beside]
        figures["memory"] = memory_figure(shown, title=f"Memory: {pair}")
    constants = {cell.name: steps for cell in cells if (steps := time_constants(cell)) is not None}
    if reading.training is not None:
        figures["training"] = training_figure(reading.training, title=f"Curves of training: {reading.run}")
        if reading.training.signs:
            figures["vital signs"] = vital_figure(reading.training.signs, title=f"Vital signs: {reading.run}")
    if constants:
        figures["time constants"] = time_constants_figure(constants, title=f"Time constants: {pair}")
    return figures
