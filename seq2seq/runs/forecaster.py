"""Open a forecaster by options that name a run of a model that writes frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from seq2seq.compression.packing import pack
from seq2seq.config.builder import build
from seq2seq.config.contract import check_counts, check_seed
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.runs.model_kinds import reads_frames
from seq2seq.runs.run import LoadedRun, pick_device
from seq2seq.runs.translator import following
from seq2seq.translation.forecaster import Forecaster
from seq2seq.translation.translator import Translator

# Options of those who search, and what they are where nothing is searched.
_UNSEARCHED = {
    "precision": "float32",
    "product_library": "auto",
    "fusion": None,
    "rerank": None,
    "reset": None,
    "simultaneous": None,
    "replace_unknown": False,
    "ensemble": "log_probabilities",
    "max_source_tokens": 1024,
}


def answering(config: Mapping[str, Any], run: LoadedRun, device: torch.device) -> Translator | Forecaster:
    """The translator by the own search of a run, or the forecaster, as its training has it."""
    if run.model.output.frames:
        return Forecaster(pack(run.model), run.tokenizers, device=device)
    search = build(config["decoding"], "decoding")
    return following(config, Translator(pack(run.model), run.tokenizers, search, device=device))


def open_forecaster(options: Mapping[str, Any], runs: Sequence[LoadedRun]) -> Forecaster:
    """The forecaster that options describe. Raises UserError at what it cannot do, and at a run that writes text."""
    for name, usual in _UNSEARCHED.items():
        if name in options and (given := options[name]) != usual:
            shown = given.get("_target_", "given") if isinstance(given, Mapping) else given
            raise UserError(f"{name} must be {_said(usual)} with a run that writes frames, but is {shown}.")
    for name, given in options.get("pieces", {}).items():
        if name != "_target_" and given is not None:
            raise UserError(f"pieces.{name} must be null with a run that writes frames, which says no pieces.")
    if "decoding" in options and not isinstance(build(options["decoding"], "decoding"), GreedySearch):
        raise UserError("decoding must be greedy with a run that writes frames, which searches nothing.")
    if len(runs) > 1:
        raise UserError("run must be one run alone where it writes frames: an ensemble of such is not there.")
    run = runs[0]
    if not run.model.output.frames:
        texts = not reads_frames(run.config)  # which alone come to translate
        use = "translate" if texts else "evaluate, or run.translate(array) in Python"
        raise UserError(f"run must be one that writes frames, but writes text: use {use}.")
    check_counts(options, batch_size=1, max_tokens=1)
    check_counts(options, samples=0)
    check_seed(options)
    sizes = {name: options[name] for name in ("batch_size", "max_tokens", "samples", "seed")}
    torch.set_flush_denormal(True)
    if (threads := options["threads"]) != "auto":
        check_counts(options, threads=1)
        torch.set_num_threads(threads)
    return Forecaster(pack(run.model), run.tokenizers, device=pick_device(str(options["device"])), **sizes)


def _said(value: Any) -> str:
    return "none" if value is None else str(value).lower()
