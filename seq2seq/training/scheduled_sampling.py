"""Feeding the model its own tokens while it trains."""

import math
from abc import ABC, abstractmethod

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError, check_finite
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import SoftIds, TargetIds
from seq2seq.training.feeding import LIKELIEST, Feeding


class ScheduledSampling(ABC):
    """A mix of true target tokens and, with a probability that grows, the model's own (Bengio et al. 2015).

    Decoders that run a whole target at once predict all tokens in one extra pass without gradients, from the true
    prefix (Duckworth et al. 2019); with input feeding the pass goes token by token and each prediction continues the
    mixed prefix. The model predicts as it translates, in evaluation mode: without dropout, and never PAD, BOS or EOS,
    which no search feeds it. The first step reads the truth alone.
    """

    def __init__(self, options: Feeding = LIKELIEST) -> None:
        self.feeding = options

    @abstractmethod
    def decay(self, step: int, spent: float) -> float:
        """The share of true tokens before the floor."""

    def truth(self, step: int, spent: float) -> float:
        """The share of true tokens at a step, when `spent` of the budget is used."""
        return 1.0 if step == 0 else max(self.feeding.floor, min(1.0, self.decay(step, spent)))

    def mix(self, model: Seq2Seq, batch: Batch, truth: float) -> TargetIds | SoftIds:
        """Decoder inputs, `batch target`, with each token after BOS replaced with probability 1 - truth."""
        replaced = self.feeding.replaced(batch.target_inputs, truth)
        return self.feeding.inputs(model, batch, replaced) if replaced.any() else batch.target_inputs


class ConstantSampling(ScheduledSampling):
    """A constant share: truth = share."""

    def __init__(self, *, share: float = 0.9, options: Feeding = LIKELIEST) -> None:
        super().__init__(options)
        if not 0 <= share < 1:
            raise UserError(f"share must be at least 0 and below 1, but is {share}: for the truth alone, choose none.")
        if share < self.feeding.floor:
            raise UserError(f"share must be at least the floor, {self.feeding.floor}, but is {share}: lower the floor.")
        self.share = share

    def decay(self, step: int, spent: float) -> float:
        return self.share


class LinearSampling(ScheduledSampling):
    """A linear decay: truth = 1 - spent / duration, where `duration` is a share of the budget."""

    def __init__(self, *, duration: float = 1.0, options: Feeding = LIKELIEST) -> None:
        check_finite(duration=duration)
        super().__init__(options)
        if duration <= 0:
            raise UserError(f"duration must be above 0, but is {duration}.")
        self.duration = duration

    def decay(self, step: int, spent: float) -> float:
        return 1 - spent / self.duration


class ExponentialSampling(ScheduledSampling):
    """An exponential decay: truth = base ^ step."""

    def __init__(self, *, base: float = 0.9999, options: Feeding = LIKELIEST) -> None:
        super().__init__(options)
        if not 0 < base < 1:
            raise UserError(f"base must be above 0 and below 1, but is {base}.")
        self.base = base

    def decay(self, step: int, spent: float) -> float:
        return self.base**step


class InverseSigmoidSampling(ScheduledSampling):
    """An inverse sigmoid: truth = k / (k + exp(step / k))."""

    def __init__(self, *, k: float = 1000.0, options: Feeding = LIKELIEST) -> None:
        check_finite(k=k)
        super().__init__(options)
        if k < 1:
            raise UserError(f"k must be at least 1, but is {k}.")
        self.k = k

    def decay(self, step: int, spent: float) -> float:
        exponent = step / self.k
        return self.k / (self.k + math.exp(min(exponent, 700.0)))
