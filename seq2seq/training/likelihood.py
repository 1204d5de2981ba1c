"""The likelihood of what is right: the measure of every validation, whatever is minimised."""

from dataclasses import dataclass

from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.layers.attention.statistics import entropies, sharpness
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq


@dataclass(frozen=True)
class Likelihood:
    """Negative log-likelihood of a batch, and how attention looked at it, as sums over tokens."""

    total: Tensor  # negative log-likelihood, in nats
    tokens: int  # how many target tokens, EOS counted
    entropy: Tensor  # of the weights, in nats
    sharpness: Tensor  # the largest weight


def likelihood(model: Seq2Seq, batch: Batch, outputs: ModelOutputs | None = None) -> Likelihood:
    """The teacher-forced likelihood of a batch, and nothing that an objective adds: comparable between runs.

    Where outputs are given, they are what the model made of it.
    """
    if outputs is None:
        outputs = model(batch.source, batch.source_lengths, batch.target_inputs)
    losses = model.output.loss(batch.of_tokens(outputs.features), batch.of_tokens(batch.target_outputs))
    spread, peaks = (batch.of_tokens(statistic(outputs.weights)).sum() for statistic in (entropies, sharpness))
    return Likelihood(losses.sum(), len(batch.target_places), spread, peaks)
