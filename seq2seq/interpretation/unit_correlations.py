"""Correlations of units with signals over many lines: plain, with other things given, and how likely by chance.

Steps of one line depend on each other, so that lines are what is counted. With residuals u of a unit and s of a signal
behind least squares on what is given (Frisch and Waugh 1933), line i contributes g_i = sum of u s over its steps, and

    z = sum g_i / sqrt(sum g_i^2)

is about normal where the two have nothing to do with each other, however the steps of a line hang together: it is the
score test with errors clustered by line (Liang and Zeger 1986), and what few lines decide cannot be beyond the root of
their number. P-values are corrected for all that was tried at once (Holm 1979), which needs no independence of units.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

UnitColumns = Float[Tensor, "steps units"]
SignalColumns = Float[Tensor, "steps signals"]
Table = Float[Tensor, "signals units"]

_NOTHING = 1e-6  # of a variance, what rounding leaves


class Given(NamedTuple):
    """Things that are held fixed: numbers of each step, and a class of each step, perhaps one for all."""

    numbers: Float[Tensor, "steps numbers"]
    classes: Int[Tensor, " steps"]


class Correlations(NamedTuple):
    """Correlations of each signal with each unit, plain and partial; NaN where nothing changes, or nothing is left.

    P-values, of the partial ones where there are these, are for one test and not corrected.
    """

    plain: Table
    partial: Table
    p: Table


def correlate(units: UnitColumns, signals: SignalColumns, given: Given, lines: Int[Tensor, " steps"]) -> Correlations:
    """Correlations of units with signals, of which each step is of the line with a number."""
    nothing = Given(given.numbers[:, :0], torch.zeros_like(given.classes))
    plain_units, plain_signals = residuals(units, nothing), residuals(signals, nothing)
    left_units, left_signals = residuals(units, given), residuals(signals, given)
    plain = _pearson(plain_units, plain_signals)
    # What is left of rounding alone is nothing.
    nothing_left = _sizes(left_signals) <= _NOTHING * _sizes(plain_signals)
    still = _sizes(left_units) <= _NOTHING * _sizes(plain_units)
    undefined = nothing_left[:, None] | still[None]
    partial = _pearson(left_units, left_signals).masked_fill(undefined, torch.nan)
    p = torch.where(undefined, p_values(plain_units, plain_signals, lines), p_values(left_units, left_signals, lines))
    return Correlations(plain, partial, p.masked_fill(plain.isnan(), torch.nan))


def residuals(values: Float[Tensor, "steps _"], given: Given) -> Float[Tensor, "steps _"]:
    """Values less what least squares make of the things given: the mean of a step's class, and numbers."""
    centred, numbers = (_less_means(part.double(), given.classes) for part in (values, given.numbers))
    if numbers.shape[1] == 0:
        return centred
    directions, sizes, _ = torch.linalg.svd(numbers, full_matrices=False)
    kept = directions[:, sizes > 1e-9 * sizes.max().clamp(min=1e-300)]
    return centred - kept @ (kept.T @ centred)


def _less_means(values: Float[Tensor, "steps _"], classes: Int[Tensor, " steps"]) -> Float[Tensor, "steps _"]:
    known, places = classes.unique(return_inverse=True)
    sums = values.new_zeros(len(known), values.shape[1]).index_add(0, places, values)
    return values - (sums / places.bincount().unsqueeze(1))[places]


def _sizes(values: Float[Tensor, "steps _"]) -> Float[Tensor, " _"]:
    return values.square().sum(0)


def _pearson(units: UnitColumns, signals: SignalColumns) -> Table:
    """Pearson's r of columns without mean; NaN where one is 0, or what rounding makes of that."""
    scale = (_sizes(signals)[:, None] * _sizes(units)[None]).sqrt()
    return torch.where(scale > 1e-12 * len(units), signals.T @ units / scale, torch.nan).clamp(-1, 1)


def p_values(units: UnitColumns, signals: SignalColumns, lines: Int[Tensor, " steps"]) -> Table:
    """Two-sided p-values of each signal and unit, residuals both, by the z of the lines' contributions."""
    count, rows = int(lines.max()) + 1, []
    for signal in signals.T:
        parts = units.new_zeros(count, units.shape[1]).index_add(0, lines, units * signal[:, None])
        z = parts.sum(0) / parts.square().sum(0).sqrt().clamp(min=1e-300)
        rows.append(torch.special.erfc(z.abs() / 2**0.5))
    return torch.stack(rows)


def holm(p: Float[Tensor, " tests"]) -> Float[Tensor, " tests"]:
    """P-values corrected for their number: the chance that any of as many tests would be as clear (Holm 1979)."""
    order = p.argsort()
    factors = torch.arange(len(p), 0, -1, dtype=p.dtype)
    return torch.empty_like(p).scatter(0, order, (p[order] * factors).cummax(0).values.clamp(max=1))
