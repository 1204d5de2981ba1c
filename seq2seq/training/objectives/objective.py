"""The interface of losses that training minimises."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Int
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import Written


class Objective(ABC):
    """A loss of a model on a batch: one number, the sum over target tokens, in nats where it is a likelihood.

    `likelihood` is the negative log-likelihood of the last batch alone, as a sum too; None where an objective does not
    keep it. `token_weights` are those of the tokens of the last batch in the loss, where several references of a source
    are taken together; None: each 1.
    """

    likelihood: Tensor | None = None
    token_weights: Tensor | None = None

    @property
    def weighs_references(self) -> bool:
        """Tell whether the loss takes several references of a source together, where batches ask for it."""
        return False

    fits_edits: ClassVar[bool] = False  # whether target ids may be edits of the source, some of them impossible

    @property
    def needs_alignments(self) -> bool:
        """Tell whether batches must come with alignments."""
        return False

    def begin(self, spent: float) -> None:  # noqa: B027
        """Take in the share of the budget that is spent, before each loss."""

    def check(self, model: Seq2Seq) -> None:  # noqa: B027
        """Check that a model has what the objective needs. Raises UserError, by its name, if not."""

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:  # noqa: B027
        """Take in how often every target token comes in the training data, EOS counted, before the first step."""

    def __call__(self, model: Seq2Seq, batch: Batch, inputs: Written) -> Tensor:
        """The loss of a batch when the decoder reads `inputs`."""
        return self.loss(model, batch, model(batch.source, batch.source_lengths, inputs))

    @abstractmethod
    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        """The loss of a batch, given what the model made of it."""
