"""The interface of losses that training minimises."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import TargetIds


@dataclass(frozen=True)
class Loss:
    """Sums over the tokens of a batch, in nats."""

    total: Tensor  # what is minimised
    tokens: Tensor  # how many target tokens, EOS counted


class Objective(ABC):
    """A loss of a model on a batch, summed over target tokens."""

    def __call__(self, model: Seq2Seq, batch: Batch, inputs: TargetIds) -> Loss:
        """The loss of a batch when the decoder reads `inputs`."""
        return self.loss(model, batch, model(batch.source, batch.source_lengths, inputs))

    @abstractmethod
    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Loss:
        """The loss of a batch, given what the model made of it."""
