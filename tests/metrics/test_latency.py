import pytest

from seq2seq.metrics.latency import Latency, average_lagging, differentiable_lagging, mean_latency


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("length", [7, 12])
def test_wait_k_on_equal_lengths_lags_by_k(k, length):
    delays = [min(k + step, length) for step in range(length)]
    found = Latency.of(delays, length, length)
    assert found.al == pytest.approx(k)
    assert found.laal == pytest.approx(k)
    assert found.dal == pytest.approx(k)


def test_values_by_hand():
    """Source of 4, target of 2, reference of 3: read 1, then all."""
    delays = [1, 4]
    assert average_lagging(delays, 4, 3) == pytest.approx((1 + (4 - 4 / 3)) / 2)
    assert differentiable_lagging(delays, 4) == pytest.approx((1 + (4 - 2)) / 2)
    found = Latency.of(delays, 4, 3)
    assert found.laal == found.al
    assert found.ap == pytest.approx(5 / 8)


def test_a_target_that_is_too_long_flatters_al_and_not_laal():
    delays = [1, 2, 3, 4, 4, 4, 4, 4]
    found = Latency.of(delays, 4, 2)
    assert found.al == pytest.approx(sum(d - t * 2 for t, d in enumerate([1, 2, 3, 4])) / 4)
    assert found.laal == pytest.approx(sum(d - t * 0.5 for t, d in enumerate([1, 2, 3, 4])) / 4)
    assert found.al < 0 < found.laal


def test_dal_spreads_what_is_written_at_once():
    """All of four at the end: the first is 4 late, each other comes one later than the one before."""
    assert differentiable_lagging([4, 4, 4, 4], 4) == pytest.approx(4)


def test_a_first_unit_behind_the_source_is_its_own_lag():
    assert average_lagging([6, 7], 5, 2) == 6


def test_corpora_have_the_mean_of_their_sentences():
    one, other = Latency(1.0, 2.0, 3.0, 0.5), Latency(3.0, 4.0, 5.0, 1.0)
    assert mean_latency([one, other]) == Latency(2.0, 3.0, 4.0, 0.75)
