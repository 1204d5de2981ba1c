"""Feeding the model its own tokens while it trains."""

import math
from abc import ABC, abstractmethod

import torch

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.interpretation.trace import evaluating
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.precise import precise
from seq2seq.shapes import TargetIds
from seq2seq.symbols import BOS, EOS, PAD


class ScheduledSampling(ABC):
    """A mix of true target tokens and, with a probability that grows, the model's own (Bengio et al. 2015).

    `floor` is the least share of true tokens; `sample` draws the model's token from its distribution
    rather than taking the likeliest. Decoders that run a whole target at once predict all tokens in one extra pass
    without gradients, from the true prefix (Duckworth et al. 2019); with input feeding the pass goes
    token by token and each prediction continues the mixed prefix. The model predicts as it translates, in evaluation
    mode: without dropout, and never PAD, BOS or EOS, which no search feeds it.
    """

    def __init__(self, *, floor: float = 0.7, sample: bool = False) -> None:
        if not 0 <= floor <= 1:
            raise UserError(f"floor must be between 0 and 1, but is {floor}.")
        self.floor = floor
        self.sample = sample

    @abstractmethod
    def decay(self, step: int, spent: float) -> float:
        """The share of true tokens before the floor."""

    def truth(self, step: int, spent: float) -> float:
        """The share of true tokens at a step, when `spent` of the budget is used."""
        return max(self.floor, min(1.0, self.decay(step, spent)))

    @torch.no_grad()
    def mix(self, model: Seq2Seq, batch: Batch, truth: float) -> TargetIds:
        """Decoder inputs, `batch target`, with each token after BOS replaced with probability 1 - truth."""
        inputs = batch.target_inputs
        replace = torch.rand(inputs.shape, device=inputs.device) >= truth
        replace &= (inputs != PAD) & (inputs != BOS)
        if not replace.any():
            return inputs
        with evaluating(model):
            return (self._at_once if model.decoder.whole_target else self._step_by_step)(model, batch, replace)

    def _at_once(self, model: Seq2Seq, batch: Batch, replace: torch.Tensor) -> TargetIds:
        inputs = batch.target_inputs
        outputs = model(batch.source, batch.source_lengths, inputs)
        # (batch, target, feature) -> (batch target, feature) -> (batch target,) -> (batch, target)
        predicted = self._choose(model, outputs.features.flatten(0, 1)).view(inputs.shape)
        # What is predicted at one position is the input of the next; column 0 comes from the end, but is never taken.
        return torch.where(replace, predicted.roll(1, 1), inputs)

    def _step_by_step(self, model: Seq2Seq, batch: Batch, replace: torch.Tensor) -> TargetIds:
        memory, states = model.start(batch.source, batch.source_lengths)
        mixed = [batch.target_inputs[:, 0]]
        for position in range(1, batch.target_inputs.shape[1]):
            features, _, states = model.decoder.step(mixed[-1].unsqueeze(1), memory, states)
            predicted = self._choose(model, features.squeeze(1))  # (batch, 1, feature) -> (batch, feature) -> (batch,)
            mixed.append(torch.where(replace[:, position], predicted, batch.target_inputs[:, position]))
        return torch.stack(mixed, 1)

    def _choose(self, model: Seq2Seq, rows: torch.Tensor) -> torch.Tensor:
        scores = precise(model.output.barred(rows))
        scores[:, EOS] = float("-inf")  # as it is of PAD and BOS already
        if not self.sample:
            return scores.argmax(-1)
        return torch.multinomial(model.output.probabilities(scores), 1).squeeze(1)


class LinearSampling(ScheduledSampling):
    """A linear decay: truth = 1 - spent / duration, where `duration` is a share of the budget."""

    def __init__(self, *, duration: float = 1.0, floor: float = 0.7, sample: bool = False) -> None:
        super().__init__(floor=floor, sample=sample)
        if duration <= 0:
            raise UserError(f"duration must be above 0, but is {duration}.")
        self.duration = duration

    def decay(self, step: int, spent: float) -> float:
        return 1 - spent / self.duration


class ExponentialSampling(ScheduledSampling):
    """An exponential decay: truth = base ^ step."""

    def __init__(self, *, base: float = 0.9999, floor: float = 0.7, sample: bool = False) -> None:
        super().__init__(floor=floor, sample=sample)
        if not 0 < base < 1:
            raise UserError(f"base must be above 0 and below 1, but is {base}.")
        self.base = base

    def decay(self, step: int, spent: float) -> float:
        return self.base**step


class InverseSigmoidSampling(ScheduledSampling):
    """An inverse sigmoid: truth = k / (k + exp(step / k))."""

    def __init__(self, *, k: float = 1000.0, floor: float = 0.7, sample: bool = False) -> None:
        super().__init__(floor=floor, sample=sample)
        if k < 1:
            raise UserError(f"k must be at least 1, but is {k}.")
        self.k = k

    def decay(self, step: int, spent: float) -> float:
        exponent = step / self.k
        return self.k / (self.k + math.exp(min(exponent, 700.0)))
