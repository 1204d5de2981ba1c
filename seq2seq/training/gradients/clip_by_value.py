"""Clipping of every entry."""

from collections.abc import Sequence

from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.training.gradients.transformation import GradientTransformation, global_norm


class ClipByValue(GradientTransformation):
    """Clipping entry by entry: g <- min(max(g, -max_value), max_value) (Graves 2013).

    Raises UserError if max_value is not above 0.
    """

    def __init__(self, *, max_value: float = 1.0) -> None:
        check_finite(max_value=max_value)
        if max_value <= 0:
            raise UserError(f"max_value must be above 0, but is {max_value}: for gradients as they are, choose none.")
        self.max_value = max_value

    def __call__(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor:
        norm = global_norm(parameters)
        nn.utils.clip_grad_value_(parameters, self.max_value)
        return norm
