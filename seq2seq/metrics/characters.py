"""The error rate over characters, against the closest of several references."""

from collections.abc import Sequence

import numpy as np

from seq2seq.metrics.closest import edits_to_closest
from seq2seq.metrics.scores import Scores, rates
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals


class CharacterErrors(Scores):
    """CER: edits to the closest reference, by characters, over its length; and the share of lines without any.

    Edits and lengths are summed before they are divided, as readers of lines are compared (Levenshtein 1966).
    """

    def __init__(self) -> None:
        super().__init__(4)

    def counts(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str]
    ) -> SentenceCounts:
        rows = []
        for hypothesis, known in zip(hypotheses, references, strict=True):
            edits, length = edits_to_closest(hypothesis, known)
            rows.append((edits, length, edits == 0, 1))
        return np.array(rows, dtype=float).reshape(-1, 4)

    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        edits, characters, right, lines = totals.T
        return {"cer": rates(edits, characters), "exact_match": rates(right, lines)}

    @property
    def signature(self) -> str:
        return "closest of several references, character by character"
