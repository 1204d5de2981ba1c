"""A watch over signals in deviations from what is usual, and what it remembers for a picture."""

from functools import partial
from math import inf, nan
from random import Random
from statistics import fmean, pstdev

import pytest

from seq2seq.drift import watch as drift_watch
from seq2seq.drift.adwin import Adwin
from seq2seq.drift.detector import Detector, Recent
from seq2seq.drift.history import SignalHistory
from seq2seq.drift.moments import Moments
from seq2seq.drift.page_hinkley import PageHinkley
from seq2seq.drift.spread import LEAST, Spread
from seq2seq.drift.watch import Alarm, SignalWatch, Watch
from seq2seq.errors import UserError

BOTH = {"page_hinkley": PageHinkley, "adwin": Adwin}


def skewed(count: int, mean: float, seed: int = 1) -> list[float]:
    """Values as the scores of tokens are: above 0, and now and then far above."""
    draw = Random(seed)
    return [draw.gammavariate(2.0, mean / 2) for _ in range(count)]


def alarms(watch: SignalWatch, values: list[float]) -> list[Alarm]:
    return [
        alarm for line, value in enumerate(values, 1) for alarm in watch.update(line, watch.deviations({"nll": value}))
    ]


def test_moments_of_parts_are_those_of_the_whole():
    values = skewed(100, 0.3)
    for cut in (0, 1, 37, 100):
        joined = Moments.of(values[:cut]) + Moments.of(values[cut:])
        assert joined.count == 100
        assert joined.mean == pytest.approx(fmean(values))
        assert joined.variance == pytest.approx(pstdev(values) ** 2)
    assert (Moments().mean, Moments().variance) == (0.0, 0.0)


def test_a_spread_is_mean_and_deviation_and_no_deviation_is_below_the_least():
    spread = Spread.of([1.0, 3.0])
    assert spread == Spread(2.0, 1.0, 2)
    assert spread.deviations(4.0) == 2.0
    assert Spread.of([0.5, 0.5]).deviations(0.5 + LEAST) == pytest.approx(1.0)


@pytest.mark.parametrize("kept", [1000, 5])
@pytest.mark.parametrize("every", [1, 10])
def test_a_change_began_at_a_line_though_not_every_line_has_the_signal(monkeypatch, every, kept):
    """Also where more values came since than line numbers are remembered, as lines are evenly apart here."""
    monkeypatch.setattr(drift_watch, "_KEPT", kept)
    usual, values = skewed(500, 0.3, seed=2), skewed(1500, 0.3) + skewed(500, 0.6)
    watch, sparse = (SignalWatch(BOTH, {"nll": Spread.of(usual)}, limit=5.0) for _ in range(2))
    found = []
    for line in range(1, every * len(values) + 1):
        given = {"nll": values[line // every - 1]} if line % every == 0 else {}
        found += sparse.update(line, sparse.deviations(given))
    dense = alarms(watch, values)
    assert [alarm.line for alarm in found] == [every * alarm.line for alarm in dense]
    assert [alarm.since for alarm in found] == [every * alarm.since for alarm in dense]
    assert all(abs(alarm.since - 1501) < 60 for alarm in dense)


def test_alarms_do_not_hang_on_the_units_of_a_signal():
    usual, values = skewed(500, 0.3, seed=2), skewed(1500, 0.3) + skewed(500, 0.6)
    found = alarms(SignalWatch(BOTH, {"nll": Spread.of(usual)}, limit=5.0), values)
    assert {alarm.detector for alarm in found} == {*BOTH}
    assert all(1500 < alarm.line < 1650 for alarm in found)
    assert all(abs(alarm.since - 1501) < 60 for alarm in found)
    for factor in (0.25, 1024.0):  # powers of 2, which round nothing
        scaled = Spread.of(factor * value for value in usual)
        assert alarms(SignalWatch(BOTH, {"nll": scaled}, limit=5.0), [factor * value for value in values]) == found


def test_a_line_counts_as_the_limit_at_most_and_what_is_no_number_or_unknown_is_left_out():
    watch = SignalWatch(BOTH, {"nll": Spread(1.0, 2.0, 9), "entropy": Spread(0.0, 1.0, 9)}, limit=5.0)
    assert watch.deviations({"nll": 7.0, "entropy": nan, "mood": 1.0}) == {"nll": 3.0}
    assert watch.deviations({"nll": inf, "entropy": -80.0}) == {"nll": 5.0, "entropy": -5.0}


class Third(Detector):
    """A detector of one's own, which alarms at every third value."""

    def __init__(self, *, step: int = 3) -> None:
        self.step, self.count = step, 0

    def update(self, value: float) -> bool:
        self.count += 1
        return self.count % self.step == 0

    @property
    def recent(self) -> Recent:
        return Recent(0.5, 2)


def test_every_signal_has_detectors_of_its_own_and_an_alarm_says_where_and_by_how_much():
    watch = Watch(detectors={"third": Third, "fifth": partial(Third, step=5)})
    signals = watch.over({name: Spread(0.0, 1.0, 9) for name in ("nll", "unknown")})
    found = [
        alarm
        for line in range(1, 7)
        for alarm in signals.update(line, {"nll": 2.0} | ({"unknown": 1.0} if line > 1 else {}))
    ]
    assert found == [
        Alarm(3, "nll", "third", 2.0, 0.5, 2),
        Alarm(4, "unknown", "third", 1.0, 0.5, 3),
        Alarm(5, "nll", "fifth", 2.0, 0.5, 4),
        Alarm(6, "nll", "third", 2.0, 0.5, 5),
        Alarm(6, "unknown", "fifth", 1.0, 0.5, 5),
    ]


def test_every_stream_is_watched_from_the_beginning():
    watch, values = Watch(detectors={"page_hinkley": PageHinkley}), [3.0] * 40
    first, second = (alarms(watch.over({"nll": Spread(0.0, 1.0, 9)}), values) for _ in range(2))
    assert len(first) == 1
    assert first == second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detectors": {}}, "detectors must hold at least one, but is empty: choose one, or no watch."),
        ({"detectors": BOTH, "limit": 0.0}, "limit must be above 0, but is 0.0."),
    ],
)
def test_a_watch_refuses(options, message):
    with pytest.raises(UserError) as error:
        Watch(**options)
    assert str(error.value) == message


def test_a_history_of_few_lines_is_those_lines():
    history = SignalHistory(most=4)
    for line in (1, 2, 4):
        history.add(line, {"nll": 10.0 * line} if line != 2 else {})
    assert history.curve("nll") == ([1.0, 4.0], [10.0, 40.0])
    assert history.curve("entropy") == ([], [])


def test_a_history_keeps_means_of_blocks_within_its_bound():
    history, values = SignalHistory(most=8), skewed(1000, 0.3)
    for line, value in enumerate(values, 1):
        history.add(line, {"nll": value})
        assert len(history.blocks) <= 8
    lines, means = history.curve("nll")
    assert history.size == 128
    assert lines[:2] == [64.5, 192.5]
    assert means == pytest.approx([fmean(values[first : first + 128]) for first in range(0, 1000, 128)])
