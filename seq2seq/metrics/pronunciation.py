"""Error rates over space-separated phones, against the closest of several references."""

from collections.abc import Sequence

import numpy as np

from seq2seq.metrics.closest import edits_to_closest
from seq2seq.metrics.scores import Scores, rates
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals


class PronunciationScores(Scores):
    """WER: share of words whose closest reference is not met; PER: edits to it over its length.

    The convention of the literature on CMUdict (Chen 2003; Bisani & Ney 2008): PER sums the edit distances to the
    closest references, and divides by the summed lengths of these.
    """

    def __init__(self) -> None:
        super().__init__(4)

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
