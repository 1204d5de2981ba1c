"""What training minimises."""

from dataclasses import dataclass

from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import TargetIds
from seq2seq.symbols import PAD


@dataclass(frozen=True)
class Loss:
    """Sums over the tokens of a batch, in nats."""

    total: Tensor  # what is minimised
    tokens: Tensor  # how many target tokens, EOS counted


class CrossEntropy:
    """Negative log-likelihood of every target token, with label smoothing (Szegedy et al. 2016).

    The sum is over tokens; only rows with a token are projected to the vocabulary.
    """

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        if not 0 <= label_smoothing < 1:
            raise UserError(f"objective.label_smoothing must be at least 0 and below 1, but is {label_smoothing}.")
        self.label_smoothing = label_smoothing

    def __call__(self, model: Seq2Seq, batch: Batch, inputs: TargetIds) -> Loss:
        """The smoothed loss of a batch when the decoder reads `inputs`."""
        return _cross_entropy(model, batch, inputs, self.label_smoothing)

    def likelihood(self, model: Seq2Seq, batch: Batch) -> Loss:
        """The teacher-forced negative log-likelihood, without smoothing: comparable between runs."""
        return _cross_entropy(model, batch, batch.target_inputs, 0.0)


def _cross_entropy(model: Seq2Seq, batch: Batch, inputs: TargetIds, label_smoothing: float) -> Loss:
    features, _ = model(batch.source, batch.source_lengths, inputs)
    mask = batch.target_outputs != PAD
    losses = model.output.loss(features[mask], batch.target_outputs[mask], label_smoothing=label_smoothing)
    return Loss(losses.sum(), mask.sum())
