"""Windows that overlap are not told to be learnt and judged apart."""

import numpy as np
import pytest

import seq2seq
from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series
from seq2seq.data.splitting import hold_out
from seq2seq.runs import shared_frames
from seq2seq.runs.shared_frames import warn_of_shared_frames

NOISE = np.random.default_rng(1).normal(size=(400, 2))


def forecasts(values, future=4, step=1):
    cut = seq2seq.windows(values, past=16, future=future, step=step)
    return [Example(Series(past), (Series(ahead),)) for past, ahead in cut]


def labelled(values, step):
    starts = range(0, len(values) - 16, step)
    return [Example(Series(values[start : start + 16]), ("up" if start % 2 else "down",)) for start in starts]


@pytest.mark.parametrize(
    "examples", [forecasts(NOISE), forecasts(NOISE, future=1), forecasts(NOISE, future=12, step=3)]
)
def test_windows_held_out_of_those_that_overlap_are_told(caplog, examples):
    warn_of_shared_frames(hold_out(examples, None, 1))
    held_out = len(examples) // 10
    assert caplog.messages == [
        f"dev: {held_out} of {held_out} series share what answers them with train, as windows that overlap do: scores "
        "on them say what was learnt by heart; cut train, dev and test out of parts that do not overlap"
    ]


def test_windows_of_labels_that_overlap_are_told(caplog):
    warn_of_shared_frames(hold_out(labelled(NOISE, 5), None, 1))
    assert "dev: 7 of 7 series share what answers them with train" in caplog.text


@pytest.mark.parametrize(
    ("train", "dev"),
    [
        (forecasts(NOISE[:300]), forecasts(NOISE[284:])),  # whose past is what train was to forecast
        (forecasts(NOISE[:300], future=1), forecasts(NOISE[284:], future=1)),
        (labelled(NOISE[:300], 5), labelled(NOISE[300:], 5)),
        (forecasts(NOISE[:300] > 0), forecasts(NOISE[300:] > 0)),  # few values come again by chance
        (forecasts(np.zeros((300, 1)) + [0]), forecasts(np.zeros((99, 1)))),
        ([Example(Series(NOISE[:4]), ("a",))], [Example(Series(NOISE[1:5]), ("a",))]),
        ([Example("abc", ("a",))], [Example("abd", ("a",))]),
    ],
    ids=["after", "one step", "labels", "switches", "silence", "short", "texts"],
)
def test_parts_that_do_not_overlap_are_not(caplog, train, dev):
    warn_of_shared_frames(Splits(train, dev, dev))
    assert not caplog.records


@pytest.mark.parametrize("count", [20, 80])
def test_work_is_that_of_the_frames_of_train_and_of_those_of_dev_and_not_of_both_in_turn(monkeypatch, count):
    looked_up, sorted_at_once, search, unique = [], [], np.searchsorted, np.unique
    monkeypatch.setattr(np, "searchsorted", lambda known, runs: looked_up.append(len(runs)) or search(known, runs))
    monkeypatch.setattr(np, "unique", lambda runs: sorted_at_once.append(len(runs)) or unique(runs))
    monkeypatch.setattr(np, "isin", None)
    train, dev = (forecasts(np.random.default_rng(seed).normal(size=(20 * count, 1)), step=20) for seed in (1, 2))
    warn_of_shared_frames(Splits(train, dev, []))
    frames = sum(len(one.source.values) + len(one.targets[0].values) for one in train)
    assert 0 < sum(looked_up) < frames
    assert sum(sorted_at_once) < frames


@pytest.mark.parametrize("name", ["_MOST", "_OVERHEAD"])
def test_beginnings_alone_are_looked_at_where_there_is_more_than_one_waits_for(monkeypatch, caplog, name):
    monkeypatch.setattr(shared_frames, name, {"_MOST": 100, "_OVERHEAD": 10**7}[name])
    train, dev = forecasts(NOISE, step=20), forecasts(NOISE, step=20)
    warn_of_shared_frames(Splits(train, dev, []))
    assert "dev: 1 of 1 series share" in caplog.text or "dev: 2 of 2 series share" in caplog.text
    caplog.clear()
    warn_of_shared_frames(Splits(train, dev[10:], []))
    assert not caplog.records


def test_every_target_of_an_example_of_train_is_looked_at(caplog):
    one, two = forecasts(NOISE, future=12, step=400 - 28)
    several = Example(one.source, (*one.targets, Series(NOISE[200:212]), *two.targets))
    warn_of_shared_frames(Splits([several], [Example(Series(NOISE[190:200]), (Series(NOISE[200:212]),)), two], []))
    assert "dev: 2 of 2 series share" in caplog.text
