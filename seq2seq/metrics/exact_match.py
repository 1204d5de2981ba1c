"""The share of hypotheses that are right to the letter."""

from collections.abc import Sequence

import numpy as np

from seq2seq.metrics.scores import Scores, rates
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals


class ExactMatch(Scores):
    """The share of sentences whose hypothesis equals one of its references."""

    def __init__(self) -> None:
        super().__init__(2)

    def counts(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str]
    ) -> SentenceCounts:
        rows = [(hypothesis in known, 1) for hypothesis, known in zip(hypotheses, references, strict=True)]
        return np.array(rows, dtype=float).reshape(-1, 2)

    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        right, sentences = totals.T
        return {"exact_match": rates(right, sentences)}

    @property
    def signature(self) -> str:
        return "any of several references"
