"""Intervals of a mean over few runs that differ by their seed alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class SeedInterval:
    """A mean, and how far it is to either end of its 95 % interval; None where one run says nothing of that."""

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "SeedInterval":
        """The interval of the mean by Student's t: t(0.975, n - 1) s / sqrt(n), s the deviation of n runs."""
        if len(values) < 2:
            return cls(mean(values), None)
        return cls(mean(values), t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values)))

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.half_width is None else f" \u00b1 {self.half_width:.2f}")


def t_quantile(freedom: int) -> float:
    """The t that 95 % of Student's distribution lie within, by bisection: 12.706 at one degree of freedom."""
    low, high = 0.0, 16.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < _CONFIDENCE else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """The probability of |T| <= t, by the finite series for whole degrees of freedom (Abramowitz & Stegun 26.7.3-4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, odd = math.cos(angle), freedom % 2
    term, total = cosine if odd else 1.0, 0.0
    for number in range(1 + odd, freedom, 2):
        total += term
        term *= number / (number + 1) * cosine**2
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
