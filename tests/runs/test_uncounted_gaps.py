"""Frames long after the one before are told of where nothing reads their times, and nowhere else."""

import numpy as np
import pytest

from seq2seq.data.examples import Example, Splits
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.long_gaps import long_gaps
from seq2seq.data.series import Series
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.runs.uncounted_gaps import warn_of_uncounted_gaps

EVEN, BROKEN = [0.0, 1, 2, 3, 4], [0.0, 1, 2, 9.5, 10.5]


def splits_of(*times):
    series = [Series(np.ones((5, 2)), f"frames.csv, series {number}", own) for number, own in enumerate(times)]
    return Splits([Example(one, ("yes",)) for one in series], [], [])


def reader(*, timed):
    written = TokenizerTrainer(source="char", target="word").train([Example("a", ("yes",))]).target
    return Tokenizers(FrameReader(2, missing=False, timed=timed), written)


@pytest.mark.parametrize(
    ("times", "places"),
    [
        ([0, 1, 2, 9, 10], []),
        ([0, 1, 2, 9.5, 10], [3]),
        ([0, 100], []),
        ([0, 0, 0, 0, 1], []),
        ([], []),
        ([0, 1, 2, 3, 50, 51, 99], [4, 6]),
    ],
)
def test_a_long_gap_is_more_than_seven_times_the_median(times, places):
    assert long_gaps(np.array(times)).tolist() == places


def test_long_gaps_that_nothing_reads_are_told_of_all_series(caplog):
    splits = splits_of(np.array(EVEN), np.array(BROKEN), np.array(BROKEN))
    warn_of_uncounted_gaps(splits, reader(timed=False))
    assert caplog.messages == [
        "train: 2 of 15 frames come more than 7 times the usual gap after the one before, the first at frames.csv, "
        "series 1, frame 4: frames are counted, not time; cut or resample series there, or have gaps read, by "
        "model.input.time_unit"
    ]


@pytest.mark.parametrize(("times", "timed"), [(BROKEN, True), (EVEN, False), (None, False)])
def test_nothing_is_told_where_gaps_are_read_or_even_or_times_unknown(caplog, times, timed):
    given = None if times is None else np.array(times)
    warn_of_uncounted_gaps(splits_of(given), reader(timed=timed))
    assert not caplog.messages
