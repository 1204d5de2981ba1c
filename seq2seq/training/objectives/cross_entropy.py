"""Maximum likelihood of the given targets."""

from torch import Tensor
from torch.nn import functional

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.layers.attention.statistics import entropies, of_groups, repetitions
from seq2seq.layers.output.output import Output
from seq2seq.masking import shortened
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.symbols import EOS, UNK
from seq2seq.training.objectives.objective import Objective


class CrossEntropy(Objective):
    """Negative log-likelihood of every target token, with label smoothing (Szegedy et al. 2016).

    The sum is over tokens; only rows with a token are projected to the vocabulary. Two terms hold attention to account,
    also summed over tokens: `coverage_loss` times the sum over the source of min(weight, sum of earlier weights), for
    looking twice (See et al. 2017), and `entropy_weight` times what the entropy of the weights lacks of
    min(entropy_floor, log memory length) nats, against attention that collapses on one token. Raises UserError if a
    value is out of range.
    """

    def __init__(
        self,
        *,
        label_smoothing: float = 0.1,
        coverage_loss: float = 0.0,
        entropy_floor: float = 0.0,
        entropy_weight: float = 1.0,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise UserError(f"label_smoothing must be at least 0 and below 1, but is {label_smoothing}.")
        for name, value in (("coverage_loss", coverage_loss), ("entropy_floor", entropy_floor)):
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
        self.coverage_loss = coverage_loss
        self.entropy_floor = entropy_floor
        self.entropy_weight = entropy_weight

    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        of = batch.of_tokens
        total = self._of_tokens(model.output, of(outputs.features), of(batch.target_outputs)).sum()
        if self.coverage_loss > 0:
            total = total + self.coverage_loss * of(repetitions(outputs.weights)).sum()
        if self.entropy_floor > 0:
            total = total + self.entropy_weight * of(self._lacking_entropy(model, batch, outputs)).sum()
        return total

    def _of_tokens(self, output: Output, features: Tensor, targets: Tensor) -> Tensor:
        """The loss of each row: (1 - smoothing) of its target's, and for the rest the mean over what can be said."""
        if self.label_smoothing == 0:
            losses = output.loss(features, targets)
            self.likelihood = losses.detach().sum()
            return losses
        log_probabilities = output.log_probabilities(features)  # (rows, vocabulary)
        of_targets = functional.nll_loss(log_probabilities, targets, reduction="none")  # (rows,)
        self.likelihood = of_targets.detach().sum()
        share = self.label_smoothing / (log_probabilities.shape[-1] - 2)  # all but PAD and BOS
        of_all = log_probabilities[:, UNK] + log_probabilities[:, EOS:].sum(-1)
        return (1 - self.label_smoothing) * of_targets - share * of_all

    def _lacking_entropy(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        """The entropy that each step's weights lack of the floor, in nats, `batch target`."""
        reduction = model.encoder.reduction  # tokens that attention cannot tell apart
        floors = shortened(batch.source_lengths, reduction).log().clamp(max=self.entropy_floor)
        # (batch, 1) - (batch, target) = (batch, target)
        return (floors.unsqueeze(1) - entropies(of_groups(outputs.weights, reduction))).relu()
