import math

import pytest

from seq2seq.metrics.seed_interval import SeedInterval, t_quantile

# Two-sided 95 % points of Student's distribution, as every table has them.
POINTS = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 7: 2.3646, 10: 2.2281, 29: 2.0452, 30: 2.0423}


@pytest.mark.parametrize(("freedom", "point"), POINTS.items())
def test_points_are_those_of_the_tables(freedom, point):
    assert t_quantile(freedom) == pytest.approx(point, abs=6e-5)


def test_with_many_runs_it_is_the_normal_distribution():
    assert t_quantile(5000) == pytest.approx(1.96, abs=1e-3)


def test_an_interval_is_about_the_mean_by_its_error():
    found = SeedInterval.of([1.0, 2.0, 6.0])
    assert found.mean == 3.0
    assert found.half_width == pytest.approx(4.3027 * math.sqrt(7 / 3), abs=1e-3)
    assert str(found) == "3.00 \u00b1 6.57"


def test_one_run_has_no_interval():
    assert SeedInterval.of([4.0]) == SeedInterval(4.0, None)
    assert str(SeedInterval.of([4.0])) == "4.00"
