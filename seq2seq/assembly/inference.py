"""A config with `run` and how to decode, to a translator; without Lightning, datasets or torchmetrics."""

import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from seq2seq.assembly.contract import check, check_options, plain
from seq2seq.assembly.run import Run, load_run, pick_device
from seq2seq.compression.packing import pack
from seq2seq.decoding.ensemble import Ensemble, Recoded
from seq2seq.decoding.greedy import GreedySearch
from seq2seq.decoding.pieces import NextPieces, PieceLimits
from seq2seq.decoding.stepper import Stepper
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError


def read_options(config: DictConfig) -> dict[str, Any]:
    """A script's config, checked, in plain types."""
    options = plain(config)
    check({**options, "pieces": {**options["pieces"], "function": None}} if "pieces" in options else options)
    return options


def load_runs(options: Mapping[str, Any]) -> list[Run]:
    """The run, or the members of an ensemble, on the device. Raises UserError if their vocabularies differ."""
    given = options["run"] if isinstance(options["run"], list) else [options["run"]]
    paths = [str(path) for path in given]  # a folder's name can be a number
    if not paths:
        raise UserError("run must name at least one run folder or checkpoint, but is empty.")
    device = pick_device(str(options["device"]))
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device={device} is none of the {torch.cuda.device_count()} GPUs here: use device=cpu or auto."
        )
    runs = [load_run(path, device) for path in paths]
    for path, other in zip(paths[1:], runs[1:], strict=True):
        if other.tokenizers.target.serialized != runs[0].tokenizers.target.serialized:
            raise UserError(
                f"run must name runs of one target vocabulary, but that of {path} is not that of {paths[0]}: "
                "train both from the same data with the same tokenizer options."
            )
    return runs


def build_translator(options: Mapping[str, Any], runs: Sequence[Run]) -> Translator:
    """The translator that options describe, over runs that `load_runs` gave. Scripts have the options that they use."""
    check_options(Translator, options)
    torch.set_flush_denormal(True)
    translator = Translator(
        build_stepper(options, runs),
        runs[0].tokenizers,
        instantiate(options["decoding"]) if "decoding" in options else GreedySearch(),
        batch_size=options["batch_size"],
        max_tokens=options["max_tokens"],
        max_source_tokens=options["max_source_tokens"],
        pieces=_build_pieces(options["pieces"]) if "pieces" in options else None,
        rerank=instantiate(options.get("rerank")),
        replace_unknown=options.get("replace_unknown", False),
        device=pick_device(options["device"]),
    )
    gc.collect()
    gc.freeze()  # what is loaded by now stays: walking it over and over cost a tenth of the time of greedy decoding
    return translator


def build_stepper(options: Mapping[str, Any], runs: Sequence[Run]) -> Stepper:
    """The packed model, or the ensemble of several."""
    members: list[Stepper] = []
    first = runs[0].tokenizers.source
    for run in runs:
        model, own = pack(run.model, options["precision"]), run.tokenizers.source
        members.append(model if own.serialized == first.serialized else Recoded(model, given=first, own=own))
    return members[0] if len(members) == 1 else Ensemble(members, average=options["ensemble"])


def _build_pieces(node: Mapping[str, Any]) -> PieceLimits:
    build = instantiate({**node, "function": None, "_partial_": True}, _convert_="all")
    return build(function=_user_function(node["function"]))


def _user_function(path: str | None) -> NextPieces | None:
    """By its dotted name, from the working folder or what is installed."""
    if path is None:
        return None
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise UserError(f"pieces.function must be module.function, but {path!r} is none: {error}.") from None
    if not callable(found):
        raise UserError(f"pieces.function must be module.function, but {path!r} is none: it cannot be called.")
    return found
