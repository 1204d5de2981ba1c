"""Pairs to forecast from, cut out of long series."""

from typing import Any

import numpy as np

from seq2seq.data.counts import Count, count_of
from seq2seq.data.given_series import as_series, numbers_as_array, warn_of_gaps
from seq2seq.data.lost_digits import warn_of_lost_digits
from seq2seq.data.series import Series
from seq2seq.errors import UserError


def windows(series: Any, *, past: Count, future: Count, step: Count = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of so many frames and of those that follow them, one every `step` frames of a long series.

    The series is an array `time feature`, or `time` of one feature. Those of one series overlap, as copies: cut train,
    dev and test out of parts of it that do not. Raises UserError at numbers below 1, and at a series that is too short.
    """
    past, future, step = count_of(past, "past"), count_of(future, "future"), count_of(step, "step")
    found = as_series(numbers_as_array(series, "series"), "series")
    if not isinstance(found, Series):
        raise UserError(f"series must be an array of numbers, `time feature`, but is of type {type(series).__name__}.")
    warn_of_lost_digits([found])
    warn_of_gaps(series, "series")
    values = found.values
    if len(values) < past + future:
        raise UserError(f"series must have at least {past + future} frames, past and future, but has {len(values)}.")
    starts = range(0, len(values) - past - future + 1, step)
    cut = [np.split(values[start : start + past + future].copy(), [past]) for start in starts]
    return [(before, after) for before, after in cut]
