"""Errors of forecasts are what their definitions say, in the units of the data."""

import numpy as np
import pytest
import torch

from seq2seq.data.series import ForecastSeries, Series
from seq2seq.errors import UserError
from seq2seq.metrics.forecast import ForecastErrors, crps
from seq2seq.metrics.significance import Draws, intervals

RANDOM = np.random.default_rng(1)
TRUTHS = [Series(RANDOM.normal(5, 3, size=(length, 2))) for length in (4, 1, 7)]
MEANS = [ForecastSeries(one.values + 1, np.full_like(one.values, 0.5)) for one in TRUTHS]


def scored(hypotheses, truths=TRUTHS, cut: int = 0) -> dict[str, float]:
    metric = ForecastErrors()
    for part in (slice(0, cut), slice(cut, None)):
        metric.update(hypotheses[part], [[one] for one in truths[part]])
    return {name: float(value) for name, value in metric.compute().items()}


def test_crps_is_the_integral_that_defines_it():
    """CRPS = integral of (F(x) - 1[x >= y])^2 over x (Gneiting & Raftery 2007, eq. 20)."""
    x = np.linspace(-60, 60, 2_000_001)
    for target, mean, deviation in [(0.3, 0.0, 1.0), (-2.0, 1.0, 0.5), (4.0, 1.0, 3.0)]:
        below = torch.special.ndtr(torch.from_numpy((x - mean) / deviation)).numpy()
        expected = np.trapezoid((below - (x >= target)) ** 2, x)
        found = crps(*(np.array([value]) for value in (target, mean, deviation)))
        assert found[0] == pytest.approx(expected, abs=1e-4)


def test_crps_of_a_point_is_its_absolute_error():
    assert crps(np.array([2.0]), np.array([5.0]), np.array([0.0]))[0] == 3
    assert crps(np.array([2.0]), np.array([5.0]), np.array([1e-9]))[0] == pytest.approx(3)
    points = [ForecastSeries(one.values) for one in MEANS]
    assert scored(points)["crps"] == scored(points)["mae"]


def test_crps_is_least_in_the_mean_for_the_distribution_itself():
    drawn = np.random.default_rng(2).normal(1.0, 2.0, 20_000)
    honest, *others = (
        crps(drawn, np.full_like(drawn, mean), np.full_like(drawn, deviation)).mean()
        for mean, deviation in [(1, 2), (1.3, 2), (1, 1.4), (1, 3)]
    )
    assert honest < min(others)


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_errors_are_over_all_values_of_all_series(cut):
    off = [ForecastSeries(one.values + step) for one, step in zip(TRUTHS, (1, -4, 2), strict=True)]
    distances = np.concatenate([np.full(2 * length, step) for length, step in ((4, 1), (1, 4), (7, 2))])
    found = scored(off, cut=cut)
    assert found["mae"] == pytest.approx(distances.mean(), rel=1e-5)
    assert found["rmse"] == pytest.approx(np.sqrt((distances**2).mean()), rel=1e-5)


def test_scores_are_in_the_units_of_the_data():
    for factor in (1e-6, 1e6):
        scaled = [ForecastSeries(one.values * factor, one.deviations * factor) for one in MEANS]
        found = scored(scaled, [Series(one.values * factor) for one in TRUTHS])
        for name, value in scored(MEANS).items():
            assert found[name] == pytest.approx(value * factor, rel=1e-3)


def test_the_nearest_of_several_references_counts():
    metric = ForecastErrors()
    metric.update([MEANS[0]], [[TRUTHS[0], Series(MEANS[0].values)]])
    assert float(metric.compute()["mae"]) == 0


@pytest.mark.parametrize("place", [0, 1])
def test_a_reference_without_a_value_is_refused_by_name(place):
    """Also beside another: which of the two is nearer cannot be told."""
    gap = np.where(np.arange(8).reshape(4, 2) == 5, np.nan, TRUTHS[0].values)
    known = [TRUTHS[0], Series(gap, "the target of dev.npz, series 8")]
    with pytest.raises(UserError) as error:
        ForecastErrors().update([MEANS[0]], [known if place else known[::-1]])
    assert str(error.value) == (
        "the target of dev.npz, series 8, frame 3, feature 2 has no value: fill it, or leave the series out."
    )


def test_intervals_hold_the_scores():
    metric = ForecastErrors()
    counts = metric.counts(MEANS, [[one] for one in TRUTHS], [])
    low, high = intervals(counts, metric.scores, Draws(bootstrap=50))["mae"]
    assert low == pytest.approx(1)
    assert high == pytest.approx(1)


@pytest.mark.parametrize(
    ("said", "known", "message"),
    [
        ("text", TRUTHS[0], "errors of forecasts are of frames, but there is a text, 'text': choose another metric."),
        (MEANS[0], "text", "errors of forecasts are of frames, but there is a text"),
        (MEANS[0], TRUTHS[1], r"a forecast must be of as many frames and features as its reference, \[1, 2\], but is"),
    ],
)
def test_what_cannot_be_compared_is_told(said, known, message):
    with pytest.raises(UserError, match=message):
        ForecastErrors().update([said], [[known]])
