"""Objectives that stand on another."""

from jaxtyping import Int
from torch import Tensor

from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.objectives.objective import Objective


class WrappingObjective(Objective):
    """An objective that adds to another, its `base`, and hands on to it what it is told."""

    def __init__(self, base: Objective) -> None:
        self.base = base

    @property
    def needs_alignments(self) -> bool:
        return self.base.needs_alignments

    @property
    def weighs_references(self) -> bool:
        return self.base.weighs_references

    def begin(self, spent: float) -> None:
        self.base.begin(spent)

    def check(self, model: Seq2Seq) -> None:
        self.base.check(model)

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:
        self.base.prepare(counts)
