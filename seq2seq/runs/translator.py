"""Open a translator by options that name a run and how to decode; without Lightning, datasets or torchmetrics."""

import gc
import importlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from seq2seq.compression.packing import pack
from seq2seq.compression.precision import resolve_decoding_precision
from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import check_options
from seq2seq.data.frame_reader import FrameReader
from seq2seq.decoding.ensemble import AVERAGES, EnsembleStepper
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.stepper import Stepper
from seq2seq.errors import UserError
from seq2seq.models.language_model import LanguageModel
from seq2seq.runs.fusion import LanguageModelRescoring
from seq2seq.runs.matmul_precision import set_matmul_precision
from seq2seq.runs.possible_search import refuse_unattended
from seq2seq.runs.rescoring import TranslatorRescoring
from seq2seq.runs.run import LoadedRun, load_run, pick_device
from seq2seq.translation.carried_translator import CarriedTranslator
from seq2seq.translation.continuation import Continuation
from seq2seq.translation.pieces import NextPieces, PieceLimits
from seq2seq.translation.recoded import Recoded
from seq2seq.translation.reranking import Reranking
from seq2seq.translation.resets import Reset, SilenceReset
from seq2seq.translation.threads import set_threads
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)


def load_runs(options: Mapping[str, Any]) -> list[LoadedRun]:
    """Runs that the options name, on their device: one, or the members of an ensemble.

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
    device = pick_device(str(options["device"]))
    runs = [load_run(path, device) for path in paths]
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
    return runs


def _check_sources(paths: Sequence[str], runs: Sequence[LoadedRun]) -> None:
    """Raise UserError at runs whose sources differ more than an ensemble's may."""
    _check_frames(paths, runs)
    _check_copying(paths, runs)


def _check_frames(paths: Sequence[str], runs: Sequence[LoadedRun]) -> None:
    """Raise UserError where some runs read other frames than the first, or text."""
    if not any(isinstance(run.tokenizers.source, FrameReader) for run in runs):
        return
    for path, other in zip(paths[1:], runs[1:], strict=True):
        if other.tokenizers.source.serialized != runs[0].tokenizers.source.serialized:
            raise UserError(
                f"run must name runs that read the same features, with or without gaps, but {path} and {paths[0]} do "
                "not: train both on the same data with the same kind of model.input."
            )


def _check_copying(paths: Sequence[str], runs: Sequence[LoadedRun]) -> None:
    """Raise UserError at runs that cannot vote on copies together."""
    first = runs[0]
    for path, other in zip(paths[1:], runs[1:], strict=True):
        if (other.model.copying is None) != (first.model.copying is None):
            raise UserError(
                f"run must name runs that all copy, or none, but of {paths[0]} and {path} one does and the other does "
                "not: train both with the same model/copying."
            )
        same = other.tokenizers.source.serialized == first.tokenizers.source.serialized
        if first.model.copying is not None and not same:
            raise UserError(
                f"run must name runs of one source vocabulary where they copy its pieces, but that of {path} is not "
                f"that of {paths[0]}: train both from the same data with the same tokenizer options."
            )


def open_translator(
    options: Mapping[str, Any], *, lines: int | None = None, runs: Sequence[LoadedRun] | None = None
) -> Translator:
    """The translator that options describe, on the threads that suit it, in a process that does little else.

    `lines` is how many are to be translated at a time where that can be less than a batch. Runs that have been loaded
    already take the place of those that the options name.
    """
    translator = build_translator(options, load_runs(options) if runs is None else runs)
    torch.set_flush_denormal(True)
    gc.collect()
    gc.freeze()  # what is loaded by now stays: walking it over and over cost a tenth of the time of greedy decoding
    batch_size = translator.batch_size
    set_threads(options["threads"], translator, lines=batch_size if lines is None else min(lines, batch_size))
    return translator


def build_translator(options: Mapping[str, Any], runs: Sequence[LoadedRun]) -> Translator:
    """The translator that options describe; those that it does without may be missing."""
    check_options(Translator, options)
    _refuse_forecasters(options, runs)
    if samples := options.get("samples"):
        raise UserError(f"samples must be 0 with a run that writes text, but is {samples}: see decoding=sampling.")
    if runs[0].model.sourceless and options.get("replace_unknown"):
        raise UserError("replace_unknown must be false with a language model, which attends to no source.")
    search = build(options["decoding"], "decoding") if "decoding" in options else GreedySearch()
    for run in runs:
        refuse_unattended(run.model, search, replaces=options.get("replace_unknown", False))
    kind = Continuation if isinstance(runs[0].model, LanguageModel) else Translator
    translator = kind(
        build_stepper(options, runs),
        runs[0].tokenizers,
        search,
        batch_size=options["batch_size"],
        max_tokens=options["max_tokens"],
        max_source_tokens=options["max_source_tokens"],
        pieces=_build_pieces(options["pieces"]) if "pieces" in options else None,
        rerank=_build_rerank(options, runs),
        replace_unknown=options.get("replace_unknown", False),
        device=pick_device(options["device"]),
    )
    if options.get("reset") is not None:
        return carried_translator(translator, options["reset"])
    if "reset" in options and runs[0].config.get("carry") is not None:
        logger.warning("this run was trained with carry=streams, but each line is read by itself: add reset=silence")
    return translator


def following(config: Mapping[str, Any], translator: Translator, *, rows: int = 1) -> Translator:
    """The translator as the training of a run reads: of lines that follow each other, where its pairs do."""
    return translator if config.get("carry") is None else CarriedTranslator(translator, SilenceReset(), rows=rows)


def carried_translator(translator: Translator, node: Mapping[str, Any]) -> CarriedTranslator:
    """The translator of lines that follow each other, until the rule that a config describes lets them begin anew."""
    reset = build(node, "reset")
    if not isinstance(reset, Reset):
        raise UserError("reset must be built by a class of Reset, but is not.")
    with told_at("reset", type(reset)):
        return CarriedTranslator(translator, reset)


def _refuse_forecasters(options: Mapping[str, Any], runs: Sequence[LoadedRun]) -> None:
    if any(run.model.output.frames for run in runs):
        raise UserError(f"run={options['run']} writes frames, which are not searched for: use forecast, or evaluate.")


def build_stepper(options: Mapping[str, Any], runs: Sequence[LoadedRun]) -> Stepper:
    """The packed model of one run, or the ensemble of several, perhaps with a language model beside it."""
    precision = resolve_decoding_precision(options["precision"], pick_device(str(options["device"])))
    models = [pack(run.model, precision) for run in runs]
    joined = models[0] if len(models) == 1 else _ensemble(options, models, runs)
    fusion = build(options.get("fusion"), "fusion")
    if fusion is None:
        return joined
    if runs[0].model.copying is not None:
        raise UserError("fusion must be none with a model that copies, whose copies a language model has no score of.")
    if runs[0].model.edits:
        raise UserError(
            "fusion must be none with a transducer, whose actions a language model has no score of: rescore texts, "
            "with rerank=language_model."
        )
    with told_at("fusion", type(fusion)):
        return fusion.around(joined, runs[0].tokenizers.target, precision, pick_device(str(options["device"])))


def _ensemble(options: Mapping[str, Any], models: Sequence[Stepper], runs: Sequence[LoadedRun]) -> EnsembleStepper:
    first = runs[0].tokenizers.source
    looking = [run.tokenizers.source.serialized == first.serialized for run in runs]
    members = [
        model if same else Recoded(model, given=first, own=run.tokenizers.source)
        for model, same, run in zip(models, looking, runs, strict=True)
    ]
    if options["ensemble"] not in AVERAGES:
        raise UserError(f"ensemble must be one of {', '.join(AVERAGES)}, but is {options['ensemble']!r}.")
    return EnsembleStepper(members, average=options["ensemble"], looking=looking)


def _build_rerank(options: Mapping[str, Any], runs: Sequence[LoadedRun]) -> Reranking | None:
    rerank, device = build(options.get("rerank"), "rerank"), pick_device(str(options["device"]))
    with told_at("rerank", type(rerank)):
        if isinstance(rerank, LanguageModelRescoring):
            rerank.prepare(device)
        elif isinstance(rerank, TranslatorRescoring):
            if runs[0].model.sourceless:
                raise UserError("run must not be given beside a language model, which has no source: choose none.")
            rerank.prepare(runs[0].tokenizers.source, device)
    return rerank


def _build_pieces(node: Mapping[str, Any]) -> PieceLimits:
    others = {name: value for name, value in node.items() if name != "function"}
    limits = build({**others, "_partial_": True}, "pieces")
    return limits(function=_user_function(node["function"]))


def _user_function(path: str | None) -> NextPieces | None:
    """The function of a dotted name, from the working folder or what is installed; None without a name.

    Raises UserError if there is no such function.
    """
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
