"""The interface of changes to gradients."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from seq2seq.models.seq2seq import Seq2Seq


class GradientTransformation(ABC):
    """A change of gradients, in place, between the backward pass and the optimizer."""

    def prepare(self, model: Seq2Seq) -> None:  # noqa: B027  (most look at no more than gradients)
        """Learn, before the first step, which parts of the model its parameters are."""

    @abstractmethod
    def __call__(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor:
        """Change the gradients and return the global norm that they had before; `step` counts from 0."""


def global_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """The Euclidean norm of all gradients as one vector."""
    return nn.utils.get_total_norm([one.grad for one in parameters if one.grad is not None])
