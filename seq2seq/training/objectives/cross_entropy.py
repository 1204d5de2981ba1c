"""Maximum likelihood of the given targets."""

from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.layers.attention.statistics import OfSteps, entropies, of_groups, repetitions
from seq2seq.layers.entmax import entmax_loss
from seq2seq.layers.output.output import Output
from seq2seq.masking import shortened
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.precise import precise
from seq2seq.shapes import Outputs
from seq2seq.symbols import EOS, UNK
from seq2seq.training.objectives.objective import Objective

PRIORS = ("uniform", "unigram")


class CrossEntropy(Objective):
    """Negative log-likelihood of every target token, with label smoothing (Szegedy et al. 2016).

    The sum is over tokens; only rows with a token are projected to the vocabulary. Two terms hold attention to account,
    also summed over tokens: `coverage_loss` times the sum over the source of min(weight, sum of earlier weights), for
    looking twice (See et al. 2017), and `entropy_weight` times what the entropy of the weights lacks of
    min(entropy_floor, log memory length) nats, against attention that collapses on one token. Two hold the decoder's
    top layer (Merity et al. 2018), as means over its units: `activation_loss` times the square of its outputs, and
    `temporal_loss` times that of their change since the token before, ahead of dropout. `smoothing_prior` spreads what
    label smoothing takes from the target evenly (uniform) or as tokens come in train (unigram; Pereyra et al. 2017).
    Raises UserError if a value is out of range.
    """

    fits_edits = True

    def __init__(
        self,
        *,
        label_smoothing: float = 0.1,
        smoothing_prior: str = "uniform",
        coverage_loss: float = 0.0,
        entropy_floor: float = 0.0,
        entropy_weight: float = 1.0,
        activation_loss: float = 0.0,
        temporal_loss: float = 0.0,
    ) -> None:
        _check_smoothing(label_smoothing, smoothing_prior)
        weights = {
            "coverage_loss": coverage_loss,
            "entropy_floor": entropy_floor,
            "activation_loss": activation_loss,
            "temporal_loss": temporal_loss,
        }
        for name, value in weights.items():
            if not value >= 0:
                raise UserError(f"{name} must be at least 0, but is {value}.")
        _check_entropy(entropy_floor, entropy_weight)
        self.label_smoothing, self.smoothing_prior = label_smoothing, smoothing_prior
        self.coverage_loss = coverage_loss
        self.entropy_floor, self.entropy_weight = entropy_floor, entropy_weight
        self.activation_loss, self.temporal_loss = activation_loss, temporal_loss
        self._shares: Tensor | None = None  # of tokens in what smoothing gives away; None: equal

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:
        if self.smoothing_prior == "unigram":
            self._shares = (counts.double() / counts.sum()).float()

    def check(self, model: Seq2Seq) -> None:
        """Check that smoothing suits the output. Raises UserError by entmax whose tokens differ by place."""
        if self.label_smoothing and model.output.bars_by_row and model.output.normalizer != "softmax":
            raise UserError(
                f"label_smoothing must be 0 for a transducer whose output is by entmax, but is {self.label_smoothing}."
            )

    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        of = batch.of_tokens
        total = self._of_tokens(model.output, of(outputs.features), of(batch.target_outputs)).sum()
        if self.coverage_loss > 0:
            total = total + self.coverage_loss * of(repetitions(outputs.weights)).sum()
        if self.entropy_floor > 0:
            total = total + self.entropy_weight * of(self._lacking_entropy(model, batch, outputs)).sum()
        if self.activation_loss > 0:
            total = total + self.activation_loss * of(precise(outputs.decoder_outputs).square().mean(-1)).sum()
        if self.temporal_loss > 0:
            total = total + self.temporal_loss * of(changes(outputs.undropped)).sum()
        return total

    def _of_tokens(self, output: Output, features: Tensor, targets: Tensor) -> Tensor:
        """The loss of each row: (1 - smoothing) of its target's, and for the rest a mean over what can be said."""
        if output.normalizer != "softmax":
            return self._sparse(output, features, targets)
        if self.label_smoothing == 0:
            losses = output.loss(features, targets)
            self.likelihood = losses.detach().sum()
            return losses
        log_probabilities = output.log_probabilities(features)  # (rows, vocabulary)
        of_targets = functional.nll_loss(log_probabilities, targets, reduction="none")  # (rows,)
        self.likelihood = of_targets.detach().sum()
        if self.smoothing_prior == "unigram":
            mean = self._unigram_mean(_possible(log_probabilities) if output.bars_by_row else log_probabilities)
            return (1 - self.label_smoothing) * of_targets - self.label_smoothing * mean
        if output.bars_by_row:
            counts = (log_probabilities > float("-inf")).sum(-1)
            mean = _possible(log_probabilities).sum(-1) / counts
            return (1 - self.label_smoothing) * of_targets - self.label_smoothing * mean
        share = self.label_smoothing / (log_probabilities.shape[-1] - 2)  # all but PAD and BOS
        of_all = log_probabilities[:, UNK] + log_probabilities[:, EOS:].sum(-1)
        return (1 - self.label_smoothing) * of_targets - share * of_all

    def _sparse(self, output: Output, features: Tensor, targets: Tensor) -> Tensor:
        """The loss of each row by entmax, smoothed in its targets (Peters & Martins 2021): no likelihood."""
        self.likelihood = None
        scores = precise(output.barred(features))
        losses = entmax_loss(scores, targets)
        if self.label_smoothing == 0:
            return losses
        of_targets = scores.gather(1, targets.unsqueeze(1)).squeeze(1)
        if self.smoothing_prior == "unigram":
            return losses + self.label_smoothing * (of_targets - self._unigram_mean(scores))
        of_all = (scores[:, UNK] + scores[:, EOS:].sum(-1)) / (scores.shape[-1] - 2)
        return losses + self.label_smoothing * (of_targets - of_all)

    def _unigram_mean(self, log_probabilities: Tensor) -> Tensor:
        """The mean of each row by how often tokens come."""
        if self._shares is None:
            raise UserError("smoothing_prior=unigram needs the counts of tokens: call prepare before the first step.")
        self._shares = self._shares.to(log_probabilities.device)
        # What cannot be said never comes, but 0 times its minus infinity would be no number.
        return log_probabilities.masked_fill(self._shares == 0, 0) @ self._shares.to(log_probabilities.dtype)

    def _lacking_entropy(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        """The entropy that each step's weights lack of the floor, in nats, `batch target`."""
        reduction = model.encoder.reduction  # tokens that attention cannot tell apart
        floors = shortened(batch.source_lengths, reduction).log().clamp(max=self.entropy_floor)
        # (batch, 1) - (batch, target) = (batch, target)
        return (floors.unsqueeze(1) - entropies(of_groups(outputs.weights, reduction))).relu()


def _possible(log_probabilities: Tensor) -> Tensor:
    """The log-probabilities of what can be said in each row, 0 of all else."""
    return log_probabilities.masked_fill(log_probabilities == float("-inf"), 0.0)


def changes(outputs: Outputs) -> OfSteps:
    """Mean squares of the change of every output since the token before, 0 at the first, `batch target`."""
    return functional.pad(precise(outputs).diff(dim=1).square().mean(-1), (1, 0))


def _check_entropy(floor: float, weight: float) -> None:
    if floor == 0 and weight != 1:
        raise UserError(
            f"entropy_weight={weight} needs entropy_floor, but that is 0: raise it, or leave the weight at 1."
        )
    if weight <= 0:
        raise UserError(f"entropy_weight must be above 0, but is {weight}: without the penalty, leave entropy_floor=0.")


def _check_smoothing(smoothing: float, prior: str) -> None:
    if not 0 <= smoothing < 1:
        raise UserError(f"label_smoothing must be at least 0 and below 1, but is {smoothing}.")
    if prior not in PRIORS:
        raise UserError(f"smoothing_prior must be one of {', '.join(PRIORS)}, but is {prior!r}.")
    if prior != "uniform" and smoothing == 0:
        raise UserError(f"smoothing_prior={prior} needs label_smoothing, but that is 0: raise it.")
