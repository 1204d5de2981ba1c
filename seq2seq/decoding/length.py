"""Limits of how short and how long a hypothesis may be."""

from jaxtyping import Int
from torch import Tensor

from seq2seq.errors import UserError, check_finite
from seq2seq.shapes import Lengths

_LARGEST_RATIO, _MOST = 1_000_000, 1_000_000_000  # so that no product with a source's length leaves 64 bits


class LengthLimits:
    """Bounds in tokens, for each sentence by its own source alone.

    At most `max_ratio` * source + `max_extra` tokens, EOS included, and never more than `maximum`; at least
    `min_ratio` * source and `minimum` tokens before EOS. The source counts with its EOS.
    Raises UserError if a bound is out of range.
    """

    def __init__(
        self,
        *,
        max_ratio: float = 2.0,
        max_extra: int = 20,
        maximum: int | None = None,
        min_ratio: float = 0.0,
        minimum: int = 0,
    ) -> None:
        check_finite(max_ratio=max_ratio, min_ratio=min_ratio)
        for name, value, least in (("max_ratio", max_ratio, 0), ("min_ratio", min_ratio, 0), ("minimum", minimum, 0)):
            if value < least:
                raise UserError(f"{name} must be at least {least}, but is {value}.")
        for name, bound in (("max_extra", max_extra), ("maximum", maximum)):
            if bound is not None and bound < 1:
                raise UserError(f"{name} must be at least 1, but is {bound}.")
        _check_at_most(_LARGEST_RATIO, max_ratio=max_ratio, min_ratio=min_ratio)
        _check_at_most(_MOST, max_extra=max_extra, maximum=maximum, minimum=minimum)
        if maximum is not None and minimum >= maximum:
            raise UserError(
                f"minimum must be below maximum, since EOS counts in the latter, but they are {minimum} and {maximum}."
            )
        self.max_ratio, self.max_extra, self.maximum = max_ratio, max_extra, maximum
        self.min_ratio, self.minimum = min_ratio, minimum

    @property
    def forces(self) -> bool:
        """Tell whether EOS can be forbidden, which may leave nothing to choose where a model gives all to it."""
        return self.minimum > 0 or self.min_ratio > 0

    def max_length(self, lengths: Lengths) -> Int[Tensor, " batch"]:
        """The number of steps that a search may take for each sentence."""
        most = (lengths * self.max_ratio).long() + self.max_extra
        return most if self.maximum is None else most.clamp(max=self.maximum)

    def binding(self, most: int) -> str:
        """The names of what to raise where `most` tokens, the maximum length of a sentence, are too few."""
        return "maximum" if most == self.maximum else "max_ratio or max_extra"

    def min_length(self, lengths: Lengths) -> Int[Tensor, " batch"]:
        """The number of tokens before EOS is allowed; EOS always is at the last step."""
        least = (lengths * self.min_ratio).long().clamp(min=self.minimum)
        return least.minimum(self.max_length(lengths) - 1)


def _check_at_most(most: int, **bounds: float | int | None) -> None:
    for name, bound in bounds.items():
        if bound is not None and bound > most:
            raise UserError(f"{name} must be at most {most:,}, but is {bound}: no answer is so long.")
