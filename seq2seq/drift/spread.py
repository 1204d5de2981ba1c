"""The usual values of a signal."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from seq2seq.drift.moments import Moments

LEAST = 0.01  # of a deviation: what never varied must not make much of nothing


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a signal over some lines, in its own units."""

    mean: float
    deviation: float
    lines: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of values, one a line. Its deviation is 0 where they are all the same."""
        found = Moments.of(values)
        return cls(found.mean, sqrt(found.variance), found.count)

    def deviations(self, value: float) -> float:
        """Distance of a value from the mean, in deviations, of which each counts as at least `LEAST`."""
        return (value - self.mean) / max(self.deviation, LEAST)
