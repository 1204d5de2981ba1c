"""Series of frames as sources: what a text is to tokens."""

import hashlib
from typing import Any

import numpy as np
from jaxtyping import Float32

from seq2seq.errors import UserError

Values = Float32[np.ndarray, "time feature"]


class Series(str):
    """A series of frames, `time feature`, in the place of a text; missing values are NaN.

    As text it is a name made of what it holds, so that series are equal, held out and known again by their content.
    `place` says where it comes from. Raises UserError at values of another shape, of no frame, or without an end.
    """

    values: Values
    place: str

    def __new__(cls, values: np.ndarray, place: str = "a series") -> "Series":
        values = _checked(values, place)
        digest = hashlib.blake2b(values.tobytes(), digest_size=8).hexdigest()
        series = super().__new__(cls, f"{values.shape[0]} x {values.shape[1]} frames {digest}")
        series.values, series.place = values, place
        return series

    def __getnewargs__(self) -> tuple[np.ndarray, str]:  # type: ignore[override]  # of str, whose content follows
        return self.values, self.place


class ForecastSeries(Series):
    """A series that a model has written: `values` are means, with the standard deviation of each if it has one.

    A deviation is that of its frame where all before it came as their means.
    """

    deviations: Values | None

    def __new__(cls, values: np.ndarray, deviations: np.ndarray | None = None) -> "ForecastSeries":
        forecast = super().__new__(cls, values, "a forecast")
        assert isinstance(forecast, ForecastSeries)
        forecast.deviations = None if deviations is None else _checked(deviations, "deviations of a forecast")
        return forecast

    def __getnewargs__(self) -> tuple[np.ndarray, np.ndarray | None]:  # type: ignore[override]
        return self.values, self.deviations


def as_series(given: Any, place: str) -> Any:
    """An array of numbers, or a table of them, as a series, whatever else is given as it is.

    Of one axis, it is one feature over time.
    """
    if not isinstance(given, np.ndarray) and callable(getattr(given, "to_numpy", None)):  # of pandas, of polars
        given = given.to_numpy()
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "fiubO":
        return given
    return Series(given[:, None] if given.ndim == 1 else given, place)


def _checked(values: np.ndarray, place: str) -> Values:
    try:
        found = np.ascontiguousarray(values, dtype=np.float32)
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
