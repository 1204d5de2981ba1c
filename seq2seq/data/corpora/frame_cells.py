"""Numbers and moments in the cells of tables of frames."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import isnan, nan
from typing import Any

from seq2seq.errors import UserError

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})  # as tables are written elsewhere, in any case
_EIGHT_DIGITS = re.compile(r"[0-9]{8}")
_YEARS, _MONTHS = range(1900, 2101), 3
_SWITCHES = {"true": 1.0, "false": 0.0}
_FIRST, _GROUP = r"[+-]?[1-9]\d{0,2}", r"(?:,\d{3})"  # of thousands
# Other ways of writing a number, each with what it is as one.
_OTHERWISE = (
    (
        re.compile(rf"\s*({_FIRST}(?:{_GROUP}{{2,}}(?:\.\d+)?|{_GROUP}\.\d+))\s*"),
        lambda found: found[1].replace(",", ""),
    ),
    (
        re.compile(rf"\s*({_FIRST}{_GROUP})\s*"),  # which says two things
        lambda found: f"{found[1].replace(',', '.')} or {found[1].replace(',', '')}, whichever is meant",
    ),
    (re.compile(r"\s*([+-]?\d+(?:_\d+)+(?:\.\d+)?)\s*"), lambda found: found[1].replace("_", "")),
    (re.compile(r"\s*([+-]?\d+),(\d+)\s*"), lambda found: f"{found[1]}.{found[2]}"),
    (re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*%\s*"), lambda found: found[1]),
)


def is_empty(cell: Any) -> bool:
    """Tell whether a cell of names is empty, null or NaN: one that says NA names Namibia."""
    return not cell.strip() if isinstance(cell, str) else is_missing(cell)


def is_missing(cell: Any) -> bool:
    """Tell whether a cell is empty, null or NaN, or says NA."""
    if isinstance(cell, str):
        return cell.strip().lower() in _MISSING
    return cell is None or (isinstance(cell, float) and isnan(cell))


def as_float(cell: Any) -> float:
    """The number that a cell says. Raises ValueError at `2024_11`, too, which Python's code would read as 202411."""
    if isinstance(cell, str) and "_" in cell:
        raise ValueError
    return float(cell)


def number_of(cell: Any, place: str, read_as: str = "features") -> float:
    """The number of a cell, of a moment or a duration its seconds, of a switch 1 or 0, and NaN where it is missing.

    Raises UserError, at the place, where it is no number, and names what the column is one of.
    """
    if is_missing(cell):
        return nan
    try:
        return _seconds(cell) if isinstance(cell, date | timedelta) else as_float(cell)
    except (TypeError, ValueError):
        if (switch := _SWITCHES.get(str(cell).strip().lower())) is not None:
            return switch
        written = (write(found) for form, write in _OTHERWISE if (found := form.fullmatch(str(cell))))
        advice = f"write {next(written, f'numbers, or name columns without it as {read_as}')}"
        raise UserError(f"{place} must hold a number, but holds {str(cell)[:40]!r}: {advice}.") from None


def time_of(cell: Any, place: str, *, days: bool = False) -> float:
    """The time of a cell: a number as it stands, of a moment the seconds since 1970; with `days`, of eight digits, too.

    A moment that names no zone, a text as 2026-11-30T12:00 too, is one of UTC, wherever it is read. Raises UserError,
    at the place, where there is none.
    """
    if is_missing(cell):
        raise UserError(f"{place} must have a time, but has none: leave the row out, or give it one.")
    if days and (day := day_of(cell)) is not None:
        return _seconds(day)
    if days and not isinstance(cell, date) and (not isinstance(cell, str) or _moment(cell) is None):
        raise UserError(f"{place} must have a day of eight digits, as 20240131, but has {str(cell)[:40]!r}.")
    if isinstance(cell, str) and (moment := _moment(cell)) is not None:
        return _seconds(moment)
    try:
        return number_of(cell, place)
    except UserError:
        wanted = "a time, a number or a moment such as 2026-11-30T12:00"
        raise UserError(f"{place} must have {wanted}, but has {str(cell)[:40]!r}.") from None


def names_no_zone(cell: Any) -> bool:
    """Tell whether a cell is the text of a moment that names no zone, as clocks on a wall have it."""
    moment = _moment(cell) if isinstance(cell, str) else None
    return moment is not None and moment.tzinfo is None


def day_of(cell: Any) -> date | None:
    """The day that eight digits name, as 20240131; None where they name none."""
    text = str(cell).strip()
    if not _EIGHT_DIGITS.fullmatch(text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def are_days(cells: Sequence[Any]) -> bool:
    """Tell whether numbers of eight digits look like days: each is one of our time, and they are of several months.

    Of numbers that count something, one in thirty is a day.
    """
    days = [day_of(cell) for cell in cells]
    months = {(day.year, day.month) for day in days if day is not None and day.year in _YEARS}
    return len(months) >= _MONTHS and None not in days and all(day.year in _YEARS for day in days if day is not None)


def _moment(text: str) -> datetime | None:
    try:
        float(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text.strip())
        except ValueError:
            return None
    return None


def _seconds(moment: date | timedelta) -> float:
    """Seconds since 1970, or of a duration."""
    if isinstance(moment, timedelta):
        return moment.total_seconds()
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
