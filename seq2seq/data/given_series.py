"""Series as callers have them: arrays, tensors, lists of numbers, and tables with times as their index."""

import logging
import sys
from typing import Any

import numpy as np

from seq2seq.data.corpora.frame_columns import ROW_NUMBERS
from seq2seq.data.long_gaps import LONG, long_gaps
from seq2seq.data.series import Series
from seq2seq.errors import UserError, shown

logger = logging.getLogger(__name__)
_INDEX_OF_TIMES = ("datetime64", "timedelta64", "period")  # as pandas calls what an index holds


def as_series(given: Any, place: str) -> Any:
    """An array or tensor of numbers, or a table of them, as a series, whatever else is given as it is.

    Of one axis, it is one feature over time. What a masked array hides is missing, and NA of pandas. Raises UserError
    at a table, or an array of two axes, that holds others than real numbers, and at one whose times are in no order.
    """
    found = as_array(given)
    if not isinstance(found, np.ndarray) or not found.ndim:
        return given
    kind = found.dtype.kind
    if kind in "OU" and (text := next((one for one in found.flat if isinstance(one, str)), None)) is not None:
        if found.ndim == 2 and found.shape[1] > 1:
            raise UserError(f"{place} must hold numbers, but holds the text {text[:40]!r}: leave such columns out.")
        return given
    if kind not in "fiubOUcmM":
        return given
    _check_table(given, place)
    if kind in "cmM":
        raise UserError(f"{place} must hold real numbers, but holds {found.dtype.name}: leave such columns out.")
    found = _with_nan(found)
    return Series(found[:, None] if found.ndim == 1 else found, place)


def _with_nan(found: np.ndarray) -> np.ndarray:
    """Values with NaN for what pandas calls NA, which is no number."""
    pandas = sys.modules.get("pandas")  # where nobody has loaded it there is none
    if pandas is None or found.dtype.kind != "O":
        return found
    hidden = np.array([one is pandas.NA for one in found.flat], dtype=bool)
    return np.where(hidden.reshape(found.shape), np.nan, found)


def as_array(given: Any) -> Any:
    """The array of NumPy that a tensor, a table or a masked array holds; whatever else is given as it is."""
    torch = sys.modules.get("torch")  # where nobody has loaded it there are no tensors
    if torch is not None and isinstance(given, torch.Tensor):
        whole = given.detach().cpu()
        return (whole.float() if whole.dtype == torch.bfloat16 else whole).numpy()
    if isinstance(given, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(given), np.nan, given.data) if given.dtype.kind in "fiub" else given.data
    if not isinstance(given, np.ndarray) and callable(getattr(given, "to_numpy", None)):  # of pandas, of polars
        return given.to_numpy()
    return given


def numbers_as_array(given: Any, place: str) -> Any:
    """The array of a list of numbers, or of lists of numbers; whatever else is given as it is.

    Raises UserError where inner lists are of unlike length.
    """
    if not isinstance(given, list) or not given or not all(_is_number_or_list(one) for one in given):
        return given
    if isinstance(given[0], list) and given[0] and isinstance(given[0][0], list):  # several, of any lengths
        return [numbers_as_array(one, f"{place}[{number}]") for number, one in enumerate(given)]
    try:
        return np.array(given)
    except ValueError:
        raise UserError(f"{place} must have as many features in each frame, but has lists of unlike length.") from None


def stacked(given: Any) -> Any:
    """The series of an array `series time feature`, in a list; whatever else is given as it is."""
    found = as_array(given)
    return list(found) if isinstance(found, np.ndarray) and found.ndim == 3 else given


def warn_of_gaps(given: Any, place: str) -> None:
    """Warn where times that a table has as its index are far apart: frames are counted, not time."""
    index: Any = getattr(given, "index", None)
    if getattr(index, "inferred_type", None) not in _INDEX_OF_TIMES[:2]:
        return
    if (long := long_gaps(index.asi8)).size:
        logger.warning(
            "%s: %d of %d frames come more than %d times the usual gap after the one before, the first at %s: frames "
            "are counted here, not time; cut the series there, or resample it",
            *(place, len(long), len(index), LONG, index[long[0]]),
        )


def _is_number_or_list(one: Any) -> bool:
    return isinstance(one, int | float | list | np.number)


def _check_table(given: Any, place: str) -> None:
    """Raise UserError at columns that number rows or hold no numbers, and at an index of times in no order."""
    for name in getattr(given, "columns", ()):
        if isinstance(name, str) and ROW_NUMBERS.fullmatch(name):
            raise UserError(
                f"{place} has a column {name!r}, as pandas calls the numbers of rows, which are no feature: read the "
                "file with index_col=0, or drop the column."
            )
        column = as_array(given[name])
        if isinstance(column, np.ndarray) and column.dtype.kind in "cmM":
            raise UserError(
                f"{place} must hold real numbers, but column {shown(name)} holds {column.dtype.name}: leave it out, or "
                "if it has the times make it the index, by set_index."
            )
    index: Any = getattr(given, "index", None)
    if getattr(index, "inferred_type", None) not in _INDEX_OF_TIMES:
        return
    if not index.is_monotonic_increasing:
        raise UserError(f"{place} must be in the order of the times in its index, but is not: call sort_index first.")
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise UserError(f"{place} must have each time of its index once, but has {twice} twice: keep one row of each.")
