"""Open a translator by options that name a run and how to decode; without Lightning, datasets or torchmetrics."""

import gc
import importlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from seq2seq.compression.product_library import AUTO, Products, check_library
from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import check_options
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.ensemble import AVERAGES, EnsembleStepper
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.stepper import Stepper
from seq2seq.errors import UserError, needed_by
from seq2seq.export.onnx_stepper import OnnxStepper
from seq2seq.models.language_model import LanguageModel
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.source_streams import check_carries
from seq2seq.runs.model_kinds import writes_frames
from seq2seq.runs.named_runs import decoding_device, load_decoding_runs
from seq2seq.runs.possible_search import refuse_unattended
from seq2seq.runs.run import DecodingRun, LoadedRun
from seq2seq.translation.carried_translator import CarriedTranslator
from seq2seq.translation.continuation import Continuation
from seq2seq.translation.pieces import NextPieces, PieceLimits
from seq2seq.translation.recoded import Recoded
from seq2seq.translation.reranking import Reranking
from seq2seq.translation.resets import Reset, SilenceReset
from seq2seq.translation.threads import set_threads
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)

_LIMITS = ("batch_size", "max_tokens", "max_source_tokens")  # of a translator, and of those who rate what it found


def open_translator(
    options: Mapping[str, Any], *, lines: int | None = None, runs: Sequence[DecodingRun] | None = None
) -> Translator:
    """The translator that options describe, on the threads that suit it, in a process that does little else.

    `lines` is how many are to be translated at a time where that can be less than a batch. Runs that have been loaded
    already take the place of those that the options name.
    """
    runs = load_decoding_runs(options) if runs is None else runs
    translator = build_translator(options, runs, lines=lines)
    torch.set_flush_denormal(True)
    gc.collect()
    gc.freeze()  # what is loaded by now stays: walking it over and over cost a tenth of the time of greedy decoding
    batch_size = translator.batch_size
    set_threads(options["threads"], translator, lines=batch_size if lines is None else min(lines, batch_size))
    return translator


def runtime_of(translator: Translator) -> str:
    """The name of what computes a translator's steps: torch, onnx, or for an ensemble of both, torch+onnx."""
    stepper = translator.stepper
    members = stepper.steppers if isinstance(stepper, EnsembleStepper) else [stepper]
    return "+".join(sorted({"onnx" if isinstance(own, OnnxStepper) else "torch" for own in members}, reverse=True))


def _other_forms(options: Mapping[str, Any], runs: Sequence[DecodingRun]) -> list[Stepper]:
    """The same model or ensemble by its exports, where there are some and nothing is asked for that they cannot do."""
    graphs = [run.graphs for run in runs if isinstance(run, LoadedRun) and run.graphs is not None]
    carried = options.get("reset") is not None or _answers_while_reading(options)
    products = options["precision"], options.get("product_library", AUTO)
    if len(graphs) < len(runs) or products != ("float32", AUTO) or options.get("fusion") is not None or carried:
        return []
    return [graphs[0] if len(graphs) == 1 else _ensemble(options, graphs, runs)]


def _answers_while_reading(options: Mapping[str, Any]) -> bool:
    """Tell whether words are said before a line is whole, by one policy or by several."""
    return options.get("simultaneous") is not None or bool(options.get("policies"))


def build_translator(
    options: Mapping[str, Any], runs: Sequence[DecodingRun], *, lines: int | None = None
) -> Translator:
    """The translator that options describe; those that it does without may be missing.

    `lines` is how many are searched at a time where that can be less than a batch.
    """
    check_options(Translator, options)
    refuse_forecasters(options, runs)
    if samples := options.get("samples"):
        raise UserError(f"samples must be 0 with a run that writes text, but is {samples}: see decoding=sampling.")
    if runs[0].model.sourceless and options.get("replace_unknown"):
        raise UserError("replace_unknown must be false with a language model, which attends to no source.")
    search = build(options["decoding"], "decoding") if "decoding" in options else GreedySearch()
    for run in runs:
        refuse_unattended(search, attends=run.model.attends, replaces=options.get("replace_unknown", False))
    at_once = options["batch_size"] if lines is None else min(lines, options["batch_size"])
    kind = Continuation if isinstance(runs[0].model, LanguageModel) else Translator
    translator = kind(
        build_stepper(options, runs, rows=search.width * at_once, hypotheses=search.width),
        runs[0].tokenizers,
        search,
        **{name: options[name] for name in _LIMITS},
        pieces=_build_pieces(options["pieces"], runs[0].tokenizers.target) if "pieces" in options else None,
        rerank=_build_rerank(options, runs),
        replace_unknown=options.get("replace_unknown", False),
        device=decoding_device(options, runs),
    )
    translator.other_forms = _other_forms(options, runs)
    translator.longest = max(map(longest_known, runs))
    if options.get("reset") is not None:
        return carried_translator(translator, options["reset"])
    if "reset" in options and runs[0].config.get("carry") is not None and not _answers_while_reading(options):
        logger.warning("this run was trained with carry=streams, but each line is read by itself: add reset=silence")
    return translator


def longest_known(run: DecodingRun) -> int:
    """Characters of the longest source that a run was trained on; 0 where it knows of none."""
    return run.splits["train"].longest if "train" in run.splits else 0


def following(config: Mapping[str, Any], translator: Translator, *, rows: int = 1) -> Translator:
    """The translator as the training of a run reads: of lines that follow each other, where its pairs do."""
    return translator if config.get("carry") is None else CarriedTranslator(translator, SilenceReset(), rows=rows)


def carried_translator(translator: Translator, node: Mapping[str, Any]) -> CarriedTranslator:
    """The translator of lines that follow each other, until the rule that a config describes lets them begin anew."""
    reset = build(node, "reset")
    if not isinstance(reset, Reset):
        raise UserError("reset must be built by a class of Reset, but is not.")
    if isinstance(translator.stepper, Seq2Seq):
        with needed_by("reset"):
            check_carries(translator.stepper)
    with told_at("reset", type(reset)):
        return CarriedTranslator(translator, reset)


def refuse_forecasters(options: Mapping[str, Any], runs: Sequence[DecodingRun]) -> None:
    """Raise UserError where a run writes frames."""
    if any(writes_frames(run.config) for run in runs):
        raise UserError(f"run={options['run']} writes frames, which are not searched for: use forecast, or evaluate.")


def build_stepper(
    options: Mapping[str, Any], runs: Sequence[DecodingRun], *, rows: int = 256, hypotheses: int = 1
) -> Stepper:
    """The packed model of one run, or the ensemble of several, perhaps with a language model beside it.

    So many `rows` are stepped together, of so many hypotheses of each sentence.
    """
    device = decoding_device(options, runs)
    precisions = [run.precision(options["precision"], device) for run in runs]
    libraries = [check_library(options.get("product_library", AUTO), precision) for precision in precisions]
    models = [
        run.stepper(Products(precision, library, rows, hypotheses))
        for run, precision, library in zip(runs, precisions, libraries, strict=True)
    ]
    joined = models[0] if len(models) == 1 else _ensemble(options, models, runs)
    fusion = build(options.get("fusion"), "fusion")
    if fusion is None:
        return joined
    if runs[0].model.copies:
        raise UserError("fusion must be none with a model that copies, whose copies a language model has no score of.")
    if runs[0].model.edits:
        raise UserError(
            "fusion must be none with a transducer, whose actions a language model has no score of: rescore texts, "
            "with rerank=language_model."
        )
    with told_at("fusion", type(fusion)):
        return fusion.around(joined, runs[0].tokenizers.target, precisions[0], device)


def _ensemble(options: Mapping[str, Any], models: Sequence[Stepper], runs: Sequence[DecodingRun]) -> EnsembleStepper:
    first = runs[0].tokenizers.source
    looking = [run.tokenizers.source.serialized == first.serialized for run in runs]
    members = [
        model if same else Recoded(model, given=first, own=run.tokenizers.source)
        for model, same, run in zip(models, looking, runs, strict=True)
    ]
    if options["ensemble"] not in AVERAGES:
        raise UserError(f"ensemble must be one of {', '.join(AVERAGES)}, but is {options['ensemble']!r}.")
    return EnsembleStepper(members, average=options["ensemble"], looking=looking)


def _build_rerank(options: Mapping[str, Any], runs: Sequence[DecodingRun]) -> Reranking | None:
    rerank, device = build(options.get("rerank"), "rerank"), decoding_device(options, runs)
    limits = {name: options[name] for name in _LIMITS}
    with told_at("rerank", type(rerank)):
        if rerank is not None:
            rerank.prepare(None if runs[0].model.sourceless else runs[0].tokenizers.source, device, **limits)
    return rerank


def _build_pieces(node: Mapping[str, Any], target: Tokenizer) -> PieceLimits:
    others = {name: value for name, value in node.items() if name != "function"}
    limits = build({**others, "_partial_": True}, "pieces")
    found: PieceLimits = limits(function=_user_function(node["function"]))
    with told_at("pieces", PieceLimits):
        found.check(target)  # so that a piece that is none is told before lines come
    return found


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
