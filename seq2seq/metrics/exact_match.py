"""The share of hypotheses that are right to the letter."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seq2seq.metrics.scores import Scores


class ExactMatch(Scores):
    """The share of sentences whose hypothesis equals one of its references."""

    right: Tensor
    sentences: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("right", "sentences"):
            self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        for hypothesis, known in zip(hypotheses, references, strict=True):
            self.right += hypothesis in known
            self.sentences += 1

    def compute(self) -> dict[str, Tensor]:
        return {"exact_match": 100 * self.right / self.sentences}

    @property
    def signature(self) -> str:
        return "any of several references"
