"""Clipping of the global norm."""

from collections.abc import Sequence

from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.training.gradients.transformation import GradientTransformation


class ClipByNorm(GradientTransformation):
    """Clipping of all gradients as one vector g: g <- g min(1, max_norm / ||g||) (Pascanu et al. 2013).

    Raises UserError if max_norm is not above 0.
    """

    def __init__(self, *, max_norm: float = 1.0) -> None:
        check_finite(max_norm=max_norm)
        if max_norm <= 0:
            raise UserError(f"max_norm must be above 0, but is {max_norm}: for gradients as they are, choose none.")
        self.max_norm = max_norm

    def __call__(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor:
        return nn.utils.clip_grad_norm_(parameters, self.max_norm)
