"""Write a run as what runs without torch, once it is proved to do what the model does."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from seq2seq.commands.exporting import onnx_export, page_export
from seq2seq.commands.exporting.exported_sources import ExportedSources
from seq2seq.config.contract import check_counts, check_type, read_options
from seq2seq.config.open_parts import with_own_data
from seq2seq.errors import UserError
from seq2seq.runs.of_frames import refuse_frames
from seq2seq.runs.run import LoadedRun, load_run
from seq2seq.runs.sourceless import refuse_language_model


class _Kind(NamedTuple):
    """A kind of export: where it goes, and what writes it and says what was proved."""

    place: Callable[[Mapping[str, Any]], Path]
    write: Callable[[LoadedRun, ExportedSources, Mapping[str, Any], Path], dict[str, Any]]


KINDS = {
    "onnx": _Kind(onnx_export.place, onnx_export.write),
    "page": _Kind(page_export.place, page_export.write),
}


def export(config: DictConfig) -> dict[str, Any]:
    """Write the run of a config as one of the kinds, and return where, and what was proved.

    Raises UserError, with nothing written, where a part of the model cannot go, or what is written does something else.
    """
    options = read_options(config)
    kind = _checked(options)
    place = kind.place(options)
    run = _loaded(options)
    sources = ExportedSources.load(run, options)
    return {"out": str(place), "to": options["to"], **kind.write(run, sources, options, place)}


def _checked(options: Mapping[str, Any]) -> _Kind:
    """The kind that options ask for. Raises UserError at options that are wrong for every kind."""
    if options["to"] not in KINDS:
        raise UserError(f"to must be one of {', '.join(KINDS)}, but is {options['to']!r}.")
    check_counts(options, sentences=1)
    check_type("int8", options["int8"], bool)
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as an ensemble is of several exports: export each.")
    if options["example"] is not None and options["to"] != "page":
        raise UserError(f"example must be null with to={options['to']}, as only a page shows one.")
    return KINDS[options["to"]]


def _loaded(options: Mapping[str, Any]) -> LoadedRun:
    """The run, with data of its own to prove by. Raises UserError at a kind of run that is never exported."""
    run = load_run(str(options["run"]))
    refuse_language_model(run, options["run"], "export")
    refuse_frames(run.tokenizers, options["run"], "export", "score them by evaluate, or translate arrays from Python")
    if run.model.edits or run.model.tags:
        kind = "transducer" if run.model.edits else "tagger"
        raise UserError(f"export needs a model that writes text, but run={options['run']} is a {kind}: decode by it.")
    return replace(run, config=with_own_data(run.config, options["data"], options["file"]))
