"""Forecasts in Python."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from seq2seq.data.given_series import as_series, numbers_as_array, stacked
from seq2seq.data.lost_digits import warn_of_lost_digits
from seq2seq.data.series import Series
from seq2seq.errors import UserError, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@runtime_checkable
class NumberTable(Protocol):
    """A table of numbers, as pandas and polars have it."""

    def to_numpy(self) -> Any:
        """The numbers as an array, `time feature`."""


@dataclass(frozen=True)
class Forecast:
    """Frames that follow a series, `time feature`, in the units of the data: means, and deviations if there are any.

    The deviation of a frame is of what the model knows there: that frames before it came as their means. With samples,
    means and deviations are those of the mixture over all paths, which know how far frames before may stray.
    """

    means: np.ndarray
    deviations: np.ndarray | None = None

    def interval(self, share: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Ends between which a value lies with this probability. Raises UserError without deviations."""
        if self.deviations is None:
            raise UserError(
                "interval needs deviations, which this model has none of: train one with gaussian as its output."
            )
        if not isinstance(share, float | np.floating) or not 0 < share < 1:
            raise UserError(f"share must be a number above 0 and below 1, but is {shown(share)}.")
        width = NormalDist().inv_cdf(0.5 + float(share) / 2) * self.deviations
        return self.means - width, self.means + width

    def figure(self, past: np.ndarray, truth: np.ndarray | None = None) -> "Figure":
        """A picture of a series, its forecast, 90 % intervals if there are any, and what came if that is given."""
        from seq2seq.interpretation.forecast_plot import forecast_figure  # matplotlib takes a second to import

        return forecast_figure(past, self.means, None if self.deviations is None else self.interval(), truth)


def series_of(given: Any) -> tuple[list[Series], bool]:
    """Series of an array, a table or several of them, and whether one was given by itself.

    A list of numbers, or of lists of them, is an array; one of three axes is several series. Raises UserError, by
    number, at what is no series.
    """
    given = stacked(numbers_as_array(given, "series"))
    alone = as_series(given, "series")
    if not isinstance(alone, Series) and (isinstance(given, str | bytes) or not isinstance(given, Iterable)):
        raise UserError(f"series must be an array, or several, but are of type {type(given).__name__}.")
    found = [alone] if isinstance(alone, Series) else [*map(_series, range(len(given := list(given))), given)]
    warn_of_lost_digits(found)
    return found, isinstance(alone, Series)


def _series(number: int, given: Any) -> Series:
    place = f"series[{number}]"
    found = as_series(numbers_as_array(given, place), place)
    if not isinstance(found, Series):
        raise UserError(f"{place} must be an array of numbers, `time feature`, but is {shown(found)}.")
    return found
