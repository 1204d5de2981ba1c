"""What training minimises."""

from dataclasses import dataclass

from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.layers.attention.statistics import OfSteps, entropies, of_groups, repetitions, sharpness
from seq2seq.masking import shortened
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import AttentionWeights, TargetIds
from seq2seq.symbols import PAD


@dataclass(frozen=True)
class Loss:
    """Sums over the tokens of a batch, in nats."""

    total: Tensor  # what is minimised
    tokens: Tensor  # how many target tokens, EOS counted


@dataclass(frozen=True)
class Likelihood(Loss):
    """Negative log-likelihood of a batch, and how attention looked at it, as sums over tokens."""

    entropy: Tensor  # of the weights, in nats
    sharpness: Tensor  # the largest weight


class CrossEntropy:
    """Negative log-likelihood of every target token, with label smoothing (Szegedy et al. 2016).

    The sum is over tokens; only rows with a token are projected to the vocabulary. Two terms hold attention to account,
    also summed over tokens: `coverage` times the sum over the source of min(weight, sum of earlier weights), for
    looking twice (See et al. 2017), and `entropy_weight` times what the entropy of the weights lacks of
    min(entropy_floor, log memory length) nats, against attention that collapses on one token. Raises UserError if a
    value is out of range.
    """

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        coverage: float = 0.0,
        entropy_floor: float = 0.0,
        entropy_weight: float = 1.0,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise UserError(f"label_smoothing must be at least 0 and below 1, but is {label_smoothing}.")
        for name, value in (("coverage", coverage), ("entropy_floor", entropy_floor)):
            if value < 0:
                raise UserError(f"{name} must be at least 0, but is {value}.")
        if entropy_floor == 0 and entropy_weight != 1:
            raise UserError(
                f"entropy_weight={entropy_weight} needs entropy_floor, but that is 0: raise it, or "
                "leave the weight at 1."
            )
        if entropy_weight <= 0:
            raise UserError(
                f"entropy_weight must be above 0, but is {entropy_weight}: without the penalty, leave entropy_floor=0."
            )
        self.label_smoothing = label_smoothing
        self.coverage = coverage
        self.entropy_floor = entropy_floor
        self.entropy_weight = entropy_weight

    def __call__(self, model: Seq2Seq, batch: Batch, inputs: TargetIds) -> Loss:
        """The loss of a batch when the decoder reads `inputs`."""
        loss, weights = _cross_entropy(model, batch, inputs, self.label_smoothing)
        total = loss.total
        if self.coverage > 0:
            total = total + self.coverage * _sum(repetitions(weights), batch)
        if self.entropy_floor > 0:
            reduction = model.encoder.reduction  # tokens that attention cannot tell apart
            floors = shortened(batch.source_lengths, reduction).log().clamp(max=self.entropy_floor).unsqueeze(1)
            lacking = (floors - entropies(of_groups(weights, reduction))).relu()
            total = total + self.entropy_weight * _sum(lacking, batch)
        return Loss(total, loss.tokens)

    def likelihood(self, model: Seq2Seq, batch: Batch) -> Likelihood:
        """The teacher-forced negative log-likelihood and nothing else: comparable between runs."""
        loss, weights = _cross_entropy(model, batch, batch.target_inputs, 0.0)
        spread, peaks = (_sum(statistic(weights), batch) for statistic in (entropies, sharpness))
        return Likelihood(loss.total, loss.tokens, spread, peaks)


def _cross_entropy(
    model: Seq2Seq, batch: Batch, inputs: TargetIds, label_smoothing: float
) -> tuple[Loss, AttentionWeights]:
    features, weights = model(batch.source, batch.source_lengths, inputs)
    mask = batch.target_outputs != PAD
    losses = model.output.loss(features[mask], batch.target_outputs[mask], label_smoothing=label_smoothing)
    return Loss(losses.sum(), mask.sum()), weights


def _sum(values: OfSteps, batch: Batch) -> Tensor:
    """Over real target tokens."""
    return values[batch.target_outputs != PAD].sum()
