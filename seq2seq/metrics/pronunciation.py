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
        closest = [_closest(*pair) for pair in zip(hypotheses, references, strict=True)]
        self.edits += sum(edits for edits, _ in closest)  # once, not for each word: the sums are where the model is
        self.phones += sum(length for _, length in closest)
        self.wrong += sum(edits > 0 for edits, _ in closest)
        self.words += len(closest)

    def compute(self) -> dict[str, Tensor]:
        return {"wer": 100 * self.wrong / self.words, "per": 100 * self.edits / self.phones}

    @property
    def signature(self) -> str:
        return "closest of several references"


def _closest(hypothesis: str, references: Sequence[str]) -> tuple[int, int]:
    """The edits to the closest reference, and its length."""
    phones = hypothesis.split()
    return min((Levenshtein.distance(phones, known), len(known)) for known in map(str.split, references))
