"""The runs and exports that options name, loaded and found to go together."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from seq2seq.data.frame_reader import FrameReader
from seq2seq.errors import UserError
from seq2seq.export.manifest import is_export
from seq2seq.runs.checkpoint_paths import ALONE
from seq2seq.runs.exported_run import ExportedRun, exported_from, graphs_beside, load_export
from seq2seq.runs.matmul_precision import set_matmul_precision
from seq2seq.runs.run import DecodingRun, LoadedRun, load_run, pick_device

RUNTIMES = ("auto", "torch", "onnx")


def load_runs(options: Mapping[str, Any]) -> list[LoadedRun]:
    """Runs that the options name, as of `load_decoding_runs`. Raises UserError at an export, which is no such run."""
    found = load_decoding_runs(options)
    loaded = [run for run in found if isinstance(run, LoadedRun)]
    if len(loaded) < len(found):
        raise UserError(
            f"run={options['run']} must be of runs, but one is an export, {ALONE}: give the run that it was made of."
        )
    return loaded


def load_decoding_runs(options: Mapping[str, Any]) -> Sequence[DecodingRun]:
    """Runs or exports that the options name, on their device: one, or the members of an ensemble.

    Products are as precise as the options say. Raises UserError if there is no run, no such device or precision, or if
    the target vocabularies differ.
    """
    given = options["run"] if isinstance(options["run"], list) else [options["run"]]
    if any(path in (None, "") for path in given):
        raise UserError("run must be a run folder or a checkpoint file, but is empty: give run=DIR.")
    paths = [str(path) for path in given]  # a folder's name can be a number
    if not paths:
        raise UserError("run must name at least one run folder or checkpoint, but is empty.")
    if "matmul_precision" in options:
        set_matmul_precision(options["matmul_precision"])
    runs = _load(paths, options)
    check_together(paths, runs)
    return runs


def check_together(paths: Sequence[str], runs: Sequence[DecodingRun]) -> None:
    """Check that runs can answer as one. Raises UserError, by their paths, if not."""
    if len(runs) > 1 and any(run.model.sourceless for run in runs):
        raise UserError("run must be one language model alone: fusion=language_model joins it to a translator.")
    for path, other in zip(paths[1:], runs[1:], strict=True):
        if other.tokenizers.target.serialized != runs[0].tokenizers.target.serialized:
            raise UserError(
                f"run must name runs of one target vocabulary, but that of {path} is not that of {paths[0]}: "
                "train both from the same data with the same tokenizer options."
            )
        if runs[0].model.edits and other.tokenizers.source.serialized != runs[0].tokenizers.source.serialized:
            raise UserError(
                f"run must name transducers of one source vocabulary, but that of {path} is not that of {paths[0]}: "
                "their pointers would be in other places."
            )
    _check_sources(paths, runs)


def _load(paths: Sequence[str], options: Mapping[str, Any]) -> Sequence[DecodingRun]:
    runtime = options.get("runtime", "torch")
    if runtime not in RUNTIMES:
        raise UserError(f"runtime must be one of {', '.join(RUNTIMES)}, but is {runtime!r}.")
    exports = [is_export(path) for path in paths]
    if runtime == "torch" and "runtime" in options and any(exports):
        raise UserError(f"runtime must be auto or onnx with run={options['run']}, as there is an export in it.")
    by_graphs = runtime == "onnx" or any(exports)
    device = _device_of(options, by_graphs=by_graphs)
    if runtime == "onnx":
        return [load_export(path) if known else exported_from(path) for path, known in zip(paths, exports, strict=True)]
    runs = [load_export(path) if known else load_run(path, device) for path, known in zip(paths, exports, strict=True)]
    if runtime == "torch" or by_graphs or device.type != "cpu":
        return runs
    pairs = zip(paths, runs, strict=True)
    return [graphs_beside(path, run) if isinstance(run, LoadedRun) else run for path, run in pairs]


def decoding_device(options: Mapping[str, Any], runs: Sequence[DecodingRun]) -> torch.device:
    """The device that runs decode on, of those that options can name."""
    return _device_of(options, by_graphs=any(isinstance(run, ExportedRun) for run in runs))


def _device_of(options: Mapping[str, Any], *, by_graphs: bool) -> torch.device:
    """The device that options name; graphs run on a CPU. Raises UserError where they are to run elsewhere."""
    name = str(options["device"])
    if not by_graphs:
        return pick_device(name)
    if name != "auto" and pick_device(name).type != "cpu":
        raise UserError(f"device must be cpu with an export, which runs there alone, but is {name}.")
    return torch.device("cpu")


def _check_sources(paths: Sequence[str], runs: Sequence[DecodingRun]) -> None:
    """Raise UserError at runs whose sources differ more than an ensemble's may."""
    _check_frames(paths, runs)
    _check_copying(paths, runs)


def _check_frames(paths: Sequence[str], runs: Sequence[DecodingRun]) -> None:
    """Raise UserError where some runs read other frames than the first, or text."""
    if not any(isinstance(run.tokenizers.source, FrameReader) for run in runs):
        return
    for path, other in zip(paths[1:], runs[1:], strict=True):
        if other.tokenizers.source.serialized != runs[0].tokenizers.source.serialized:
            raise UserError(
                f"run must name runs that read the same features, with or without gaps, but {path} and {paths[0]} do "
                "not: train both on the same data with the same kind of model.input."
            )


def _check_copying(paths: Sequence[str], runs: Sequence[DecodingRun]) -> None:
    """Raise UserError at runs that cannot vote on copies together."""
    first = runs[0]
    for path, other in zip(paths[1:], runs[1:], strict=True):
        if other.model.copies != first.model.copies:
            raise UserError(
                f"run must name runs that all copy, or none, but of {paths[0]} and {path} one does and the other does "
                "not: train both with the same model/copying."
            )
        same = other.tokenizers.source.serialized == first.tokenizers.source.serialized
        if first.model.copies and not same:
            raise UserError(
                f"run must name runs of one source vocabulary where they copy its pieces, but that of {path} is not "
                f"that of {paths[0]}: train both from the same data with the same tokenizer options."
            )
