"""Clipping by the size of the weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.gradients.transformation import GradientTransformation, global_norm

_LEAST_NORM = 1e-3  # of weights: rows that begin at zero must be able to move
_TINY = 1e-6


class ClipAdaptively(GradientTransformation):
    """Clipping of each unit by its weights: g <- g min(1, clipping max(||w||, e) / ||g||) (Brock et al. 2021, eq. 3).

    A unit is a row of a matrix or of an embedding, or a whole bias; e is 0.001. The output layer is left as it is, as
    it is there, and so is an embedding that is tied to it. Raises UserError if clipping is not above 0.
    """

    def __init__(self, *, clipping: float = 0.01) -> None:
        check_finite(clipping=clipping)
        if clipping <= 0:
            raise UserError(f"clipping must be above 0, but is {clipping}: for gradients as they are, choose none.")
        self.clipping = clipping
        self._left_alone: set[int] = set()

    def prepare(self, model: Seq2Seq) -> None:
        """Find the output layer of the model."""
        self._left_alone = {id(one) for one in model.output.parameters()}

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor:
        norm = global_norm(parameters)
        for one in parameters:
            if one.grad is not None and id(one) not in self._left_alone:
                limit = self.clipping * _unit_norms(one).clamp(min=_LEAST_NORM)
                one.grad.mul_((limit / _unit_norms(one.grad).clamp(min=_TINY)).clamp(max=1.0))
        return norm


def _unit_norms(tensor: Tensor) -> Tensor:
    """Norms of rows, in a form that multiplies them; of a vector, its own."""
    if tensor.dim() < 2:
        return tensor.norm()
    return tensor.flatten(1).norm(dim=1).reshape(-1, *[1] * (tensor.dim() - 1))
