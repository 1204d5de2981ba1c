"""Error rates over space-separated phones, against the closest of several references."""

import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np

from seq2seq.metrics.closest import edits_to_closest
from seq2seq.metrics.scores import Scores, is_first_process, rates
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals

logger = logging.getLogger(__name__)

_ARPABET = re.compile("[A-Z]{1,2}[0-2]?")
_TIES = "\u0361\u035c"  # of two letters that are one phone


class PronunciationScores(Scores):
    """WER: share of words whose closest reference is not met; PER: edits to it over its length.

    The convention of the literature on CMUdict (Chen 2003; Bisani & Ney 2008): PER sums the edit distances to the
    closest references, and divides by the summed lengths of these. Warns of references that are not parted by spaces.
    """

    def __init__(self) -> None:
        super().__init__(4)

    def settle(self, references: Sequence[Sequence[str]]) -> None:
        """Warn where no reference has a space between phones, but for words that are of one phone each."""
        if is_first_process():
            texts = [text.strip() for text in chain.from_iterable(references) if text.strip()]
            if not any(len(text.split()) > 1 for text in texts) and not all(map(_is_phone, texts)):
                _warn_of_spaces(max(texts, key=len)[:40])

    def counts(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str]
    ) -> SentenceCounts:
        rows = []
        for hypothesis, known in zip(hypotheses, references, strict=True):
            edits, length = edits_to_closest(hypothesis.split(), [one.split() for one in known])
            rows.append((edits, length, edits > 0, 1))
        return np.array(rows, dtype=float).reshape(-1, 4)

    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        edits, phones, wrong, words = totals.T
        return {"wer": rates(wrong, words), "per": rates(edits, phones)}

    @property
    def signature(self) -> str:
        return "closest of several references"


def _is_phone(text: str) -> bool:
    """Tell whether a text is one phone: of ARPABET, or one letter with its signs, or several that are tied."""
    letters = sum(unicodedata.category(character) in ("Ll", "Lo", "Lt", "Lu") for character in text)
    return _ARPABET.fullmatch(text) is not None or letters <= 1 + sum(text.count(tie) for tie in _TIES)


@lru_cache
def _warn_of_spaces(text: str) -> None:
    logger.warning(
        "each reference counts as one phone, because none has a space between phones, such as %s: choose "
        "metrics=characters, or put spaces between phones",
        text,
    )
