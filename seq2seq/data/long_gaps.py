"""Frames that come long after the one before, where frames are counted, and not time."""

import numpy as np
from jaxtyping import Int64, Real

LONG = 7  # times the usual gap: weekends and feasts among working days are shorter
_FEWEST = 3  # frames, of which one can be far from the others


def long_gaps(times: Real[np.ndarray, " time"]) -> Int64[np.ndarray, " _"]:
    """Places of the frames that come more than `LONG` times the usual gap, their median, after the one before."""
    if len(times) < _FEWEST:
        return np.empty(0, np.int64)
    gaps = np.diff(times)
    usual = np.median(gaps)
    return np.flatnonzero((gaps > LONG * usual) & (usual > 0)) + 1  # of several frames at once, none is usual
