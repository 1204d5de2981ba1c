"""Simultaneous translators of trained runs."""

from collections.abc import Mapping
from typing import Any

from seq2seq.config.builder import build
from seq2seq.decoding.simultaneous import Policy, WaitKPolicy
from seq2seq.errors import UserError, needed_by
from seq2seq.models.reading import GrowingReader
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.translation.simultaneous import SimultaneousTranslator
from seq2seq.translation.translator import Translator

# What is asked of whole lines, and what it is where nothing is.
_OF_LINES = {
    **{"n_best": 1, "rerank": None, "replace_unknown": False, "tag": None, "fusion": None},
    **{"reset": None, "watch": None},
}


def simultaneous_translator(options: Mapping[str, Any], translator: Translator) -> SimultaneousTranslator:
    """The translator that writes while it reads, by the policy of options and the model, search and pieces of another.

    A wait-k policy without a pace has that of the model's training. Raises UserError at several models, at one that
    looks ahead, at options of whole lines, and if there is no such policy.
    """
    _refuse_lines(options, translator)
    policy = build(options["simultaneous"], "simultaneous")
    if not isinstance(policy, Policy):
        raise UserError("simultaneous must be built by a class of Policy, but is not.")
    if not isinstance(translator.stepper, Seq2Seq):
        raise UserError(
            "run must name one run with simultaneous, no export, and fusion must be none: one model reads on."
        )
    if isinstance(policy, WaitKPolicy) and policy.pace is None and translator.stepper.decoder.waiting is not None:
        policy.pace = translator.stepper.decoder.waiting.pace
    with needed_by("simultaneous"):
        reader = GrowingReader(translator.stepper, window=policy.window)
    return SimultaneousTranslator(reader, policy, translator.search, translator.tokenizers)


def _refuse_lines(options: Mapping[str, Any], translator: Translator) -> None:
    """Raise UserError at options that have no effect on words which are said before a line is whole."""
    for name, without in _OF_LINES.items():
        if (value := options.get(name, without)) != without:
            given = value["_target_"].rpartition(".")[2] if isinstance(value, Mapping) else value
            raise UserError(
                f"{name} must be {str(without).lower()} with simultaneous, which has no whole lines, but is {given}."
            )
    if beta := translator.search.coverage_penalty.beta:
        raise UserError(
            "decoding.coverage_penalty.beta must be 0 with simultaneous, whose search sees the last words alone, but "
            f"is {beta}."
        )
    given = [name for name, value in options.get("pieces", {}).items() if name != "_target_" and value is not None]
    if given or translator.search.filters.active:
        what = f"pieces.{given[0]}" if given else "decoding.filters"
        raise UserError(f"{what} must be as it is by default with simultaneous, whose words are said before a search.")
