"""Simultaneous translators of trained runs."""

from collections.abc import Mapping
from typing import Any

from seq2seq.config.builder import build
from seq2seq.decoding.simultaneous import Policy
from seq2seq.errors import UserError
from seq2seq.models.reading import GrowingReader
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.translation.simultaneous import SimultaneousTranslator
from seq2seq.translation.translator import Translator


def simultaneous_translator(options: Mapping[str, Any], translator: Translator) -> SimultaneousTranslator:
    """The translator that writes while it reads, by the policy of options and the model, search and pieces of another.

    Raises UserError at several models, at one that looks ahead, and if there is no such policy.
    """
    policy = build(options["simultaneous"], "simultaneous")
    if not isinstance(policy, Policy):
        raise UserError("simultaneous must be built by a class of Policy, but is not.")
    if not isinstance(translator.stepper, Seq2Seq):
        raise UserError("run must name one run with simultaneous, and fusion must be none: one model reads on.")
    reader = GrowingReader(translator.stepper, window=policy.window)
    return SimultaneousTranslator(reader, policy, translator.search, translator.tokenizers)
