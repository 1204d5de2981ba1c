"""Error rates over space-separated phones, against the closest of several references."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
import torch

from seq2seq.metrics.closest import edits_to_closest
from seq2seq.metrics.scores import Scores, rates
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals

logger = logging.getLogger(__name__)

_LONGEST = 3  # characters of a phone, with its signs; texts without a space may be phones where none is longer


class PronunciationScores(Scores):
    """WER: share of words whose closest reference is not met; PER: edits to it over its length.

    The convention of the literature on CMUdict (Chen 2003; Bisani & Ney 2008): PER sums the edit distances to the
    closest references, and divides by the summed lengths of these. Warns of references that are not parted by spaces.
    """

    def __init__(self) -> None:
        super().__init__(4)

    def settle(self, references: Sequence[Sequence[str]]) -> None:
        """Warn where each reference is one phone by its spaces, but none by its length."""
        if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
            texts = [text for text in chain.from_iterable(references) if text.strip()]
            if max(map(len, texts), default=0) > _LONGEST and not any(len(text.split()) > 1 for text in texts):
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


@lru_cache
def _warn_of_spaces(text: str) -> None:
    logger.warning(
        "PER will be WER: it counts phones with spaces between them, and no reference has a space (%s is one phone); "
        "choose metrics=characters, or put spaces between phones",
        text,
    )
