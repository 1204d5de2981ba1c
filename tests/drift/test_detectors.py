"""Detectors find lasting changes, and nothing else; exact values by hand; the same as river's where that is."""

from collections.abc import Callable, Iterator
from math import log, sqrt
from random import Random
from statistics import fmean

import pytest

from seq2seq.drift.adwin import Adwin
from seq2seq.drift.detector import Detector
from seq2seq.drift.page_hinkley import PageHinkley
from seq2seq.errors import UserError

DETECTORS: dict[str, Callable[[], Detector]] = {"page_hinkley": PageHinkley, "adwin": Adwin}


def normal(count: int, mean: float = 0.0, seed: int = 1) -> list[float]:
    draw = Random(seed)
    return [draw.gauss(mean, 1.0) for _ in range(count)]


def alarms(detector: Detector, values: list[float]) -> list[int]:
    """The places of the values, from 0, at which the detector alarmed."""
    return [place for place, value in enumerate(values) if detector.update(value)]


# Laws of every detector


@pytest.fixture(params=DETECTORS)
def new(request) -> Callable[[], Detector]:
    return DETECTORS[request.param]


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_what_never_changes_raises_no_alarm(new, value):
    assert alarms(new(), [value] * 20_000) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_value_without_end_is_refused_and_leaves_no_trace(new, value):
    detector = new()
    with pytest.raises(UserError, match=f"^value must be a finite number, but is {value}: leave it out.$"):
        detector.update(value)
    values = [0.0] * 300 + [5.0] * 300
    assert alarms(detector, values) == alarms(new(), values) != []


def test_chance_raises_no_alarm(new):
    assert [alarms(new(), normal(10_000, seed=seed)) for seed in range(5)] == [[]] * 5


@pytest.mark.parametrize("shift", [1.0, -1.0, 3.0, -3.0])
def test_a_lasting_change_is_seen_once_and_soon_and_its_mean_is_known(new, shift):
    detector, values = new(), normal(2000) + normal(2000, shift, seed=2)
    (place,) = (place for place, value in enumerate(values[:2100]) if detector.update(value))
    assert 2000 < place < 2000 + 200 / abs(shift)
    detector = new()
    assert alarms(detector, values[: place + 1]) == [place]
    assert detector.recent.mean == pytest.approx(shift, rel=0.5)
    assert detector.recent.length == pytest.approx(place - 1999, abs=25)


def test_after_an_alarm_the_new_is_usual_and_the_way_back_is_seen(new):
    first, *_, last = alarms(new(), normal(2000) + normal(5000, 2.0, seed=2) + normal(500, seed=3))
    assert 2000 < first < 2100
    assert 7000 < last < 7100


def test_an_outlier_within_the_limit_of_a_watch_raises_no_alarm(new):
    values = normal(4000)
    values[1000::500] = [5.0] * 6
    assert alarms(new(), values) == []


# Page-Hinkley


def test_page_hinkley_by_hand():
    """Mean 0 of none: the sum of 0.5 each, less 0.1, stands at 0.4, 0.8, 1.2 where known lines outweigh them."""
    detector = PageHinkley(delta=0.1, threshold=1.0, first=1, known=10**12)
    assert [detector.update(0.5) for _ in range(3)] == [False, False, True]
    assert detector.recent == (0.5, 3)
    assert PageHinkley(delta=0.1, threshold=1.0, first=4, known=10**12).update(9.0) is False


def test_the_sum_of_page_hinkley_begins_anew_at_its_lowest_point():
    """1, -1, 2: means 1, 0, 2/3; deviations 0, -1, 4/3: the sum falls to -1 and climbs to 1/3."""
    detector = PageHinkley(delta=0.0, threshold=1.3, first=1, known=0, direction="up")
    assert [detector.update(value) for value in (1.0, -1.0, 2.0)] == [False, False, True]
    assert detector.recent == (2.0, 1)
    assert detector.update(50.0) is False  # the first after an alarm is its own mean


def test_directions_are_two_tests_of_their_own():
    up, down, both = (PageHinkley(direction=one) for one in ("up", "down", "both"))
    values = normal(2000) + normal(500, 2.0, seed=2) + normal(500, -2.0, seed=3)
    rises, falls = alarms(up, values), alarms(down, values)
    assert 2000 < rises[0] < 2100
    assert 2500 < falls[0] < 2600
    assert alarms(both, values)[0] == rises[0]
    assert alarms(PageHinkley(direction="up"), [-value for value in values]) == falls


def test_a_stream_that_is_off_from_its_first_line_is_seen_by_what_is_known_alone():
    values = normal(1000, 1.5)
    assert alarms(PageHinkley(), values)[0] < 40
    assert alarms(PageHinkley(known=0), values) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta": -0.1}, "delta must be at least 0.0, but is -0.1."),
        ({"threshold": 0.0}, "threshold must be above 0, but is 0.0."),
        ({"threshold": float("nan")}, "threshold must be a finite number, but is nan."),
        ({"first": 0}, "first must be at least 1, but is 0."),
        ({"known": -1}, "known must be at least 0, but is -1."),
        ({"direction": "left"}, "direction must be one of up, down, both, but is 'left'."),
    ],
)
def test_page_hinkley_refuses(options, message):
    with pytest.raises(UserError) as error:
        PageHinkley(**options)
    assert str(error.value) == message


# ADWIN


def bound(older: list[float], newer: list[float], delta: float, shortest: int) -> float:
    """The difference of means that chance explains, from the paper's formula and all values."""
    values = older + newer
    mean = fmean(values)
    variance = fmean([(value - mean) ** 2 for value in values])
    confidence = log(2 * log(len(values)) / delta)
    inverse = 1 / (len(older) - shortest + 1) + 1 / (len(newer) - shortest + 1)
    return sqrt(2 * variance * confidence * inverse) + 2 / 3 * confidence * inverse


def splits(values: list[float], shortest: int) -> Iterator[tuple[list[float], list[float]]]:
    yield from ((values[:cut], values[cut:]) for cut in range(shortest, len(values) - shortest + 1))


def test_adwin_alarms_exactly_where_the_formula_does_while_every_value_has_a_sum_of_its_own():
    window, detector, seen = [], Adwin(every=1, buckets=10**6, shortest=3), 0
    for value in normal(60) + normal(60, 3.0, seed=2) + normal(60, 0.0, seed=3):
        window.append(value)
        parts = splits(window, 3) if len(window) > 6 else ()
        found = [cut for cut in parts if abs(fmean(cut[0]) - fmean(cut[1])) > bound(*cut, delta=0.002, shortest=3)]
        assert detector.update(value) is bool(found)
        newer = max(found, key=distance)[1] if found else window
        assert detector.recent == (pytest.approx(fmean(newer), abs=1e-9), len(newer))
        window, seen = [] if found else window, seen + bool(found)
    assert seen >= 2


def test_adwin_remembers_the_logarithm_of_what_it_saw():
    detector, sizes = Adwin(buckets=5), []
    for place, value in enumerate(normal(2**15), 1):
        detector.update(value)
        if place in (2**9, 2**12, 2**15):
            sizes.append(detector.size)
    assert detector.recent.length == 2**15
    assert sizes[2] <= 5 * 15
    assert sizes[2] - sizes[1] <= 5 * 3
    assert sizes[1] - sizes[0] <= 5 * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta": 0.0}, "delta must be above 0 and below 1, but is 0.0."),
        ({"every": 0}, "every must be at least 1, but is 0."),
        ({"buckets": 1}, "buckets must be at least 2, but is 1."),
        ({"shortest": 0}, "shortest must be at least 1, but is 0."),
    ],
)
def test_adwin_refuses(options, message):
    with pytest.raises(UserError) as error:
        Adwin(**options)
    assert str(error.value) == message


def distance(cut: tuple[list[float], list[float]]) -> float:
    """The distance of the means of two parts, in multiples of its own deviation."""
    older, newer = cut
    return abs(fmean(older) - fmean(newer)) * sqrt(len(older) * len(newer) / len(older + newer))


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [
        (PageHinkley, "delta", 0.9),
        (PageHinkley, "threshold", 5.0),
        (PageHinkley, "first", 600),
        (PageHinkley, "known", 0),
        (PageHinkley, "direction", "down"),
        (Adwin, "delta", 0.9),
        (Adwin, "every", 1),
        (Adwin, "buckets", 2),
        (Adwin, "shortest", 40),
    ],
)
def test_every_option_changes_where_alarms_are(kind, option, value):
    values = normal(500, 0.1) + normal(500, 1.2, seed=2)
    usual, other = (alarms(detector, values) for detector in (kind(), kind(**{option: value})))
    assert usual
    assert other != usual


# Against river


def streams() -> Iterator[list[float]]:
    for seed in range(3):
        draw = Random(seed)
        yield normal(1000, seed=seed) + normal(700, 0.7, seed) + normal(800, seed=seed)
        yield [draw.gammavariate(2, 0.15) for _ in range(1500)] + [draw.gammavariate(2, 0.3) for _ in range(1000)]
        yield [float(draw.random() < 0.2) for _ in range(1500)] + [float(draw.random() < 0.5) for _ in range(700)]


@pytest.mark.parametrize("options", [(0.002, 32), (0.1, 32), (0.002, 1)])
def test_adwin_is_river_s(options):
    drift = pytest.importorskip("river.drift", reason="river is not installed")
    delta, every = options
    seen = 0
    for values in streams():
        theirs, ours = drift.ADWIN(delta=delta, clock=every), Adwin(delta=delta, every=every)
        for value in values:
            theirs.update(value)
            assert ours.update(value) is theirs.drift_detected
            seen += theirs.drift_detected
            if not theirs.drift_detected:
                assert ours.recent == (pytest.approx(theirs.estimation, abs=1e-9), theirs.width)
    assert seen > 5


@pytest.mark.parametrize("direction", ["up", "down", "both"])
@pytest.mark.parametrize(("delta", "threshold"), [(0.005, 50.0), (0.1, 10.0), (0.02, 5.0)])
def test_page_hinkley_is_river_s(direction, delta, threshold):
    drift = pytest.importorskip("river.drift", reason="river is not installed")
    seen = 0
    for values in streams():
        theirs = drift.PageHinkley(delta=delta, threshold=threshold, alpha=1.0, mode=direction)
        ours = PageHinkley(delta=delta, threshold=threshold, known=0, direction=direction)
        for value in values:
            theirs.update(value)
            assert ours.update(value) is theirs.drift_detected
            seen += theirs.drift_detected
    assert seen > 3
