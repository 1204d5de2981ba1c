"""Series of frames as sources: what a text is to tokens."""

import hashlib
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from seq2seq.data.lost_digits import lost_digits
from seq2seq.errors import UserError

Values = Float32[np.ndarray, "time feature"]
Times = Float64[np.ndarray, " time"]
Gaps = Float32[np.ndarray, " time"]


class Series(str):
    """A series of frames, `time feature`, in the place of a text; missing values are NaN.

    As text it is a name made of what it holds, so that series are equal, held out and known again by their content.
    What is given is copied, and may be changed afterwards.
    `place` says where it comes from, `times` when each frame was, in any unit and from any moment. Raises UserError at
    values of another shape, of no frame, or without an end, and at times that go back or repeat.
    """

    values: Values
    place: str
    times: Times | None
    lost: str  # what 32 bits do not keep of the values that were given, in words; of most, nothing

    def __new__(cls, values: np.ndarray, place: str = "a series", times: np.ndarray | None = None) -> "Series":
        given, values = values, _checked(values, place)
        times = None if times is None else _checked_times(times, len(values), place)
        held = values.tobytes() + (b"" if times is None else times.tobytes())
        digest = hashlib.blake2b(held, digest_size=8).hexdigest()
        series = super().__new__(cls, f"{values.shape[0]} x {values.shape[1]} frames {digest}")
        series.values, series.place, series.times = values, place, times
        series.lost = lost_digits(np.asarray(given), values)
        return series

    def __getnewargs__(self) -> tuple[Any, ...]:  # of str, whose content follows
        return self.values, self.place, self.times

    @property
    def gaps(self) -> Gaps:
        """The time between each frame and the one before, `time`, 0 of the first. Raises UserError without times."""
        if self.times is None:
            raise UserError(f"{self.place} must have times, which time_unit counts in, but has none.")
        return np.diff(self.times, prepend=self.times[:1]).astype(np.float32)


class ForecastSeries(Series):
    """A series that a model has written: `values` are means, with the standard deviation of each if it has one.

    A deviation is that of its frame where all before it came as their means; of samples, both are of the mixture over
    all paths.
    """

    deviations: Values | None

    def __new__(cls, values: np.ndarray, deviations: np.ndarray | None = None) -> "ForecastSeries":
        forecast = super().__new__(cls, values, "a forecast")
        assert isinstance(forecast, ForecastSeries)
        forecast.deviations = None if deviations is None else _checked(deviations, "deviations of a forecast")
        return forecast

    def __getnewargs__(self) -> tuple[np.ndarray, np.ndarray | None]:  # type: ignore[override]
        return self.values, self.deviations


def _checked(values: np.ndarray, place: str) -> Values:
    try:
        found = np.array(values, np.float32, order="C")  # a copy, as callers may fill their array anew
    except (TypeError, ValueError):
        raise UserError(f"{place} must hold numbers, but does not.") from None
    if found.ndim != 2 or not found.shape[1]:
        raise UserError(f"{place} must be frames of features, `time feature`, but has shape {list(found.shape)}.")
    if not len(found):
        raise UserError(f"{place} must have at least one frame, but has none: leave it out.")
    if (endless := np.argwhere(np.isinf(found))).size:
        row, feature = endless[0].tolist()
        raise UserError(f"{place}, frame {row + 1}, feature {feature + 1} must be finite, but is not: fix it.")
    return found


def _checked_times(times: np.ndarray, frames: int, place: str) -> Times:
    try:
        found = np.array(times, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{place} must have numbers as times, but has others.") from None
    if found.shape != (frames,):
        raise UserError(f"{place} must have a time for each of {frames} frames, but has times {list(found.shape)}.")
    if (endless := np.flatnonzero(~np.isfinite(found))).size:
        raise UserError(
            f"{place}, frame {endless[0] + 1} must have a finite time, but has {found[endless[0]]}: fix it."
        )
    if (wrong := np.flatnonzero(np.diff(found) <= 0)).size:
        row = wrong[0] + 1
        raise UserError(
            f"{place}, frame {row + 1}: times must ascend, but {found[row]:.15g} follows {found[row - 1]:.15g}: sort "
            "frames by time, one for each."
        )
    return found
