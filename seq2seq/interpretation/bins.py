"""Sums over stretches of a stream of any length, in memory that does not grow with it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

CAPACITY = 400  # of stretches, twice as many as there are at least once a stream is long; a picture has 800 columns

Places = Int[Tensor, " steps"]
Values = Float[Tensor, "steps _"]


class Bins:
    """Sums and largest values of steps that lie in the same stretch of a stream, a row for each stretch.

    A stretch is `width` tokens. Where the stream outgrows `CAPACITY` of them, neighbours become one, so that what is
    found does not depend on how the stream was cut, and is kept in float64.
    """

    def __init__(self, size: int, width: int = 1) -> None:
        self.width = width
        self.counts = torch.zeros(CAPACITY, dtype=torch.long)
        self.sums = torch.zeros(CAPACITY, size, dtype=torch.float64)
        self.most = torch.full((CAPACITY, size), -torch.inf, dtype=torch.float64)

    def add(self, places: Places, values: Values) -> None:
        """Count in steps at tokens that are so many from the beginning, in rising order."""
        if len(places) == 0:
            return
        while int(places[-1]) >= CAPACITY * self.width:
            self._widen()
        rows, values = places // self.width, values.double()
        self.counts.index_add_(0, rows, torch.ones_like(rows))
        self.sums.index_add_(0, rows, values)
        self.most.scatter_reduce_(0, rows.unsqueeze(1).expand_as(values), values, "amax")

    def _widen(self) -> None:
        self.width *= 2
        self.counts = _rest_empty(self.counts.unflatten(0, (-1, 2)).sum(1), 0)
        self.sums = _rest_empty(self.sums.unflatten(0, (-1, 2)).sum(1), 0)
        self.most = _rest_empty(self.most.unflatten(0, (-1, 2)).amax(1), -torch.inf)

    @property
    def length(self) -> int:
        """Number of stretches up to the last that has a step."""
        return int(self.counts.nonzero().max()) + 1 if bool(self.counts.any()) else 0

    @property
    def edges(self) -> Int[Tensor, " _"]:
        """Tokens at which stretches begin, and that at which the last ends."""
        return torch.arange(self.length + 1) * self.width

    @property
    def means(self) -> Float[Tensor, "stretches _"]:
        """The mean of each stretch; NaN where no step lies in it."""
        return self.sums[: self.length] / self.counts[: self.length].unsqueeze(1)

    @property
    def total(self) -> int:
        """Number of steps."""
        return int(self.counts.sum())

    @property
    def mean(self) -> Float[Tensor, " _"]:
        """The mean of all steps."""
        return self.sums.sum(0) / max(self.total, 1)


def _rest_empty(rows: Tensor, value: int | float) -> Tensor:
    """The rows, and behind them as many of a value."""
    return torch.cat([rows, torch.full_like(rows, value)])
