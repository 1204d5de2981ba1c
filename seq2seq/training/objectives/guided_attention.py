"""Attention that is shown where to look."""

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError, check_finite
from seq2seq.layers.attention.statistics import OfSteps, of_groups
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import AttentionWeights
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.references import weighed
from seq2seq.training.objectives.wrapping import WrappingObjective


class GuidedAttention(WrappingObjective):
    """Another objective, and attention that follows given alignments (Chen et al. 2016; Mi et al. 2016).

    loss = base + weight sum of -A log a, for A the even weights of what a target token is aligned to and a those of
    attention; tokens without an alignment add nothing. The weight falls evenly to 0 over a share `duration` of the
    budget, or never at None. Raises UserError if a value is out of range, and for weights that can be 0.
    """

    def __init__(self, *, base: Objective, weight: float = 0.1, duration: float | None = None) -> None:
        check_finite(weight=weight)
        if not weight > 0:
            raise UserError(f"weight must be above 0, but is {weight}: without guidance, choose another objective.")
        if duration is not None and not 0 < duration <= 1:
            raise UserError(f"duration must be above 0 and at most 1, or null for all the time, but is {duration}.")
        if type(base).__call__ is not Objective.__call__:
            raise UserError(
                f"base must be an objective of the batch as it is, but is {type(base).__name__}: "
                "make this one its base."
            )
        super().__init__(base)
        self.weight, self.duration = weight, duration
        self._spent = 0.0

    @property
    def needs_alignments(self) -> bool:
        return True

    def check(self, model: Seq2Seq) -> None:
        """Check the base's needs, and that attention has no exact zeros. Raises UserError if it has."""
        super().check(model)
        if model.decoder.attention.normalizer != "softmax":
            raise UserError(
                "Guided attention needs weights above 0, but attention_normalizer is "
                f"{model.decoder.attention.normalizer}: choose softmax, or another objective."
            )
        if not model.decoder.attention.everywhere:
            raise UserError(
                f"Guided attention needs weights above 0, which {type(model.decoder.attention).__name__} does not have "
                "everywhere: choose another attention, or another objective."
            )

    def begin(self, spent: float) -> None:
        super().begin(spent)
        self._spent = spent

    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        total = self.base.loss(model, batch, outputs)
        self.likelihood, self.token_weights = self.base.likelihood, self.base.token_weights
        if batch.alignments is None:
            raise UserError("Guided attention needs alignments of the training pairs, but there are none.")
        reduction = model.encoder.reduction  # tokens that attention cannot tell apart
        wanted, found = (of_groups(each, reduction) for each in (batch.alignments, outputs.weights))
        of_tokens = weighed(batch.of_tokens(strayings(wanted, found)), self.token_weights)
        return total + self.present_weight * of_tokens.sum()

    @property
    def present_weight(self) -> float:
        """The weight at the share of the budget that is spent."""
        return self.weight if self.duration is None else self.weight * max(0.0, 1 - self._spent / self.duration)


def strayings(wanted: AttentionWeights, found: AttentionWeights) -> OfSteps:
    """Cross-entropies of attention's weights and those that are wanted, in nats; 0 where none are, `batch target`."""
    return -(wanted * found.clamp(min=torch.finfo(found.dtype).tiny).log()).sum(-1)
