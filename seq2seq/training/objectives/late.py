"""Objectives that begin when a model has learnt something already."""

from abc import abstractmethod

from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError, check_finite
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import Written
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.wrapping import WrappingObjective


class LateObjective(WrappingObjective):
    """An objective that joins another, its `base`, once `start` of the budget is spent; before, the base is all.

    From then on the loss is `base_weight` times the base's and a term of its own. A model that knows nothing would
    learn nothing from that: `start` is 0 only where training starts from a run. Raises UserError if a value is out of
    range.
    """

    def __init__(self, *, start: float, base: Objective | None, base_weight: float) -> None:
        check_finite(base_weight=base_weight)
        if not 0 <= start < 1:
            raise UserError(f"start must be at least 0 and below 1, a share of the budget, but is {start}.")
        if base_weight < 0:
            raise UserError(f"base_weight must be at least 0, but is {base_weight}.")
        if isinstance(base, LateObjective):
            raise UserError(
                f"base must be an objective that is there from the first step, but is {type(base).__name__}."
            )
        super().__init__(base or CrossEntropy())
        self.start = start
        self.base_weight = base_weight
        self.spent = 0.0  # of the budget, at the step under way

    def begin(self, spent: float) -> None:
        super().begin(spent)
        self.spent = spent

    def __call__(self, model: Seq2Seq, batch: Batch, inputs: Written) -> Tensor:
        loss = self.base(model, batch, inputs)
        self.likelihood = self.base.likelihood
        if self.spent < self.start:
            return loss
        return self.base_weight * loss + self.term(model, batch)

    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        """The base's part alone: the term is not made of these outputs."""
        return self.base.loss(model, batch, outputs)

    @abstractmethod
    def term(self, model: Seq2Seq, batch: Batch) -> Tensor:
        """The part that is added to the base's loss, a sum over the batch."""
