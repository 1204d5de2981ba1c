"""Mean and variance of values that come one by one, or in parts."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moments:
    """The number of some values, their sum, and the sum of squared distances from their mean (Chan et al. 1979)."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> "Moments":
        """The moments of values, which may be many and are looked at once."""
        return sum((cls(1, value) for value in values), cls())

    @property
    def mean(self) -> float:
        """The mean, 0 of no values."""
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """The variance of the values themselves, not of what they may be a sample of; 0 of no values."""
        return self.squares / self.count if self.count else 0.0

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of the values of both."""
        if not self.count or not other.count:
            return other if not self.count else self
        count, apart = self.count + other.count, self.mean - other.mean
        between = apart * apart * self.count * other.count / count
        return Moments(count, self.total + other.total, self.squares + other.squares + between)
