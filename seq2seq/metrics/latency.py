"""Latency of simultaneous writing: how far behind its source a target is."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """Lags of a target behind its source, in units of the source, as SimulEval 1.1 defines them.

    `al` is average lagging (Ma et al. 2019), `laal` is length-adaptive (Papi et al. 2022), `dal` differentiable (Cherry
    & Foster 2019), and `ap` average proportion (Cho & Esipova 2016), which is a share of the source.
    """

    al: float
    laal: float
    dal: float
    ap: float

    @classmethod
    def of(cls, delays: Sequence[int], source: int, reference: int) -> "Latency":
        """The lags of a target whose units were written after so many of the source's, beside a reference's length."""
        return cls(
            average_lagging(delays, source, reference),
            average_lagging(delays, source, max(reference, len(delays))),
            differentiable_lagging(delays, source),
            sum(delays) / (source * len(delays)),
        )


def average_lagging(delays: Sequence[int], source: int, target: int) -> float:
    """The mean of d_t - (t - 1) |x| / |y| over t up to the first unit that was written when all was read."""
    if delays[0] > source:
        return float(delays[0])
    counted = next((number for number, delay in enumerate(delays, 1) if delay >= source), len(delays))
    return sum(delay - step * source / target for step, delay in enumerate(delays[:counted])) / counted


def differentiable_lagging(delays: Sequence[int], source: int) -> float:
    """The mean of d'_t - (t - 1) |x| / |y|, where no unit comes sooner than |x| / |y| after the one before."""
    rate, total, now = source / len(delays), 0.0, 0.0
    for step, delay in enumerate(delays):
        now = float(delay) if step == 0 else max(delay, now + rate)
        total += now - step * rate
    return total / len(delays)


def mean_latency(each: Sequence[Latency]) -> Latency:
    """The means over sentences. Those for which nothing was written have none, and are counted elsewhere."""
    return Latency(*(sum(getattr(one, name) for one in each) / len(each) for name in ("al", "laal", "dal", "ap")))
