"""Maximum likelihood of the given targets."""

from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError, check_finite
from seq2seq.layers.attention.statistics import OfSteps, entropies, of_groups, repetitions
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.masking import shortened
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.precise import precise
from seq2seq.shapes import Outputs
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.references import weighed, weights_of

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
        check_finite(**weights, entropy_weight=entropy_weight)
        for name, value in weights.items():
            if value < 0:
                raise UserError(f"{name} must be at least 0, but is {value}.")
        _check_entropy(entropy_floor, entropy_weight)
        self.label_smoothing, self.smoothing_prior = label_smoothing, smoothing_prior
        self.coverage_loss = coverage_loss
        self.entropy_floor, self.entropy_weight = entropy_floor, entropy_weight
        self.activation_loss, self.temporal_loss = activation_loss, temporal_loss
        self._shares: Tensor | None = None  # of tokens in what smoothing gives away; None: equal

    @property
    def weighs_references(self) -> bool:
        return True

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:
        if self.smoothing_prior == "unigram":
            self._shares = (counts.double() / counts.sum()).float()

    def check(self, model: Seq2Seq) -> None:
        """Check that smoothing can be had, a mean over all tokens, and attention where its weights are judged."""
        if self.label_smoothing > 0 and model.output.samples is not None:
            raise UserError(
                f"label_smoothing must be 0 with an output of {model.output.samples} samples, as it gives to all "
                f"tokens, but is {self.label_smoothing}."
            )
        if self.label_smoothing and model.output.bars_by_row and model.output.normalizer != "softmax":
            raise UserError(
                f"label_smoothing must be 0 for a transducer or tagger whose output is by entmax, but is "
                f"{self.label_smoothing}."
            )
        for name in ("coverage_loss", "entropy_floor"):
            if (value := getattr(self, name)) > 0 and not model.sourceless and not model.decoder.attention.attends:
                raise UserError(f"{name} must be 0 where attention is none, but is {value}.")

    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        of, summed = batch.of_tokens, self._summed
        features, targets = of(outputs.features), of(batch.target_outputs)
        smoothing = self._smoothing(features)
        self.token_weights = None
        if batch.owners is None:
            total, self.likelihood = model.output.training_loss(features, targets, smoothing)
        else:
            losses, likelihoods = model.output.training_losses(features, targets, smoothing)
            self.token_weights, more = weights_of(batch, losses)
            total = summed(losses) + more
            self.likelihood = None if likelihoods is None else summed(likelihoods)
        if self.coverage_loss > 0:
            total = total + self.coverage_loss * summed(of(repetitions(outputs.weights)))
        if self.entropy_floor > 0:
            total = total + self.entropy_weight * summed(of(self._lacking_entropy(model, batch, outputs)))
        if self.activation_loss > 0:
            total = total + self.activation_loss * summed(of(precise(outputs.decoder_outputs).square().mean(-1)))
        if self.temporal_loss > 0:
            total = total + self.temporal_loss * summed(of(changes(outputs.undropped)))
        return total

    def _summed(self, values: Tensor) -> Tensor:
        """The sum over tokens, each by its weight."""
        return weighed(values, self.token_weights).sum()

    def _smoothing(self, features: Tensor) -> Smoothing:
        """Label smoothing, with the shares of tokens where features are."""
        if self.label_smoothing == 0 or self.smoothing_prior == "uniform":
            return Smoothing(self.label_smoothing)
        if self._shares is None:
            raise UserError("smoothing_prior=unigram needs the counts of tokens: call prepare before the first step.")
        self._shares = self._shares.to(features.device)
        return Smoothing(self.label_smoothing, self._shares)

    def _lacking_entropy(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        """The entropy that each step's weights lack of the floor, in nats, `batch target`."""
        reduction = model.encoder.reduction  # tokens that attention cannot tell apart
        floors = shortened(batch.source_lengths, reduction).log().clamp(max=self.entropy_floor)
        # (batch, 1) - (batch, target) = (batch, target)
        return (floors.unsqueeze(1) - entropies(of_groups(outputs.weights, reduction))).relu()


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
