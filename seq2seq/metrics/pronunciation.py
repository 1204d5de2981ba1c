"""Error rates over space-separated phones, against the closest of several references."""

from collections.abc import Sequence

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from seq2seq.metrics.scores import Scores


class PronunciationScores(Scores):
    """WER: share of words whose closest reference is not met; PER: edits to it over its length.

    The convention of the literature on CMUdict (Chen 2003; Bisani & Ney 2008): PER sums the edit distances to the
    closest references, and divides by the summed lengths of these.
    """

    edits: Tensor
    phones: Tensor
    wrong: Tensor
    words: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("edits", "phones", "wrong", "words"):
            self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        for hypothesis, known in zip(hypotheses, references, strict=True):
            phones = hypothesis.split()
            edits, length = min((Levenshtein.distance(phones, r.split()), len(r.split())) for r in known)
            self.edits += edits
            self.phones += length
            self.wrong += edits > 0
            self.words += 1

    def compute(self) -> dict[str, Tensor]:
        return {"wer": 100 * self.wrong / self.words, "per": 100 * self.edits / self.phones}

    @property
    def signature(self) -> str:
        return "closest of several references"
