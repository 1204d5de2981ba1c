"""Columns of tables whose rows are frames."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from seq2seq.errors import UserError

logger = logging.getLogger(__name__)
ROW_NUMBERS = re.compile(r"|Unnamed: \d+|__index_level_\d+__")  # what pandas calls them where they are written along
_INDEX = "__index_level_"  # which is no other column's
_WHOLE = re.compile(r"\d+")
_ABSENT = {
    "series": "add one that says which series a row is of, the same in all if there is one series, or when training "
    "give data.series=COLUMN",
    "time": "add it, or when training give data.time=COLUMN, or data.time=null where rows are in order",
    "target": "add it, or when training give data.target=COLUMN, or data.horizon to forecast the end of each series",
    "features": "add it, or train anew without it",
}


class FrameColumns(NamedTuple):
    """Places of columns in a row, and the names of all."""

    series: int
    time: int | None
    targets: list[int]
    features: list[int]
    names: list[str]

    @property
    def read(self) -> list[str]:
        """The names of the features."""
        return [self.names[place] for place in self.features]


@dataclass(frozen=True)
class ColumnNames:
    """Names of the columns that name a series, its times and its targets, and of features; None: all others.

    With a horizon there are no targets, and whatever is called so is a feature. Columns without a name, and numbers of
    rows, are among all others if `unnamed` says so, and are warned of.
    """

    series: str
    time: str | None
    targets: list[str]
    features: list[str] | None
    horizon: bool
    unnamed: bool = False

    def places(self, path: str, header: list[str], rows: Sequence[Sequence[Any]], *, targets: bool) -> FrameColumns:
        """Places of the columns in a file with these first rows, of targets among them if they are needed.

        Raises UserError, by name, at one that is not there, is there twice, has no name, or numbers rows.
        """
        asked = self.targets if targets else []
        others = {self.series, self.time, *asked, *(() if self.horizon else self.targets)}
        features = [name for name in header if name not in others] if self.features is None else self.features
        if self.features is None:
            for problem in _unnamed(path, header, rows, features):
                if not self.unnamed:
                    raise UserError(f"{problem}, give it a name, or name the columns to read, features=[...].")
                logger.warning("%s; here it is read as a feature, as data.unnamed=true asks", problem)
        for option, names in (
            ("series", [self.series]),
            ("target", asked),
            ("time", [] if self.time is None else [self.time]),
            ("features", features),
        ):
            for name in names:
                _check(path, header, name, option)
        if not features:
            raise UserError(f"{path} must have columns of features, but has {', '.join(header)}.")
        time = None if self.time is None else header.index(self.time)
        found = (header.index(self.series), time, [*map(header.index, asked)], [*map(header.index, features)])
        return FrameColumns(*found, header)


def _check(path: str, header: list[str], name: str, option: str) -> None:
    if name not in header:
        alike = next((own for own in header if own.casefold() == name.casefold()), None)
        training = "" if option == "features" else f", or when training give data.{option}={alike}"
        advice = _ABSENT[option] if alike is None else f"rename {alike!r} to {name!r}{training}"
        raise UserError(f"{path} must have a column {name!r}, but has {', '.join(header)}: {advice}.")
    if header.count(name) > 1:
        raise UserError(f"{path} must have column {name!r} once, but has it {header.count(name)} times: rename.")


def _unnamed(path: str, header: list[str], rows: Sequence[Sequence[Any]], features: Sequence[str]) -> Iterator[str]:
    """Problems with columns that number rows, which a model would read, and write, as if they said something.

    Neither has a column a name which pandas has called by its place, nor one behind the last mark of a header.
    """
    for place, name in enumerate(header):
        if name not in features or not ROW_NUMBERS.fullmatch(name):
            continue
        where = f"{path}, column {place + 1}"
        if place == 0 or name.startswith(_INDEX) or _counts([row[place] for row in rows]):
            yield (
                f"{where} is called {name!r}, as pandas calls the numbers of rows, which are no feature: leave it out "
                "by index=False"
            )
        else:
            called = f", as {name!r} says" if name else ""
            yield f"{where} has no name{called}: leave it out"


def _counts(cells: Sequence[Any]) -> bool:
    """Tell whether cells are whole numbers that ascend, as those of rows do, also where some rows were left out."""
    if len(cells) < 2 or not all(_WHOLE.fullmatch(str(cell).strip()) for cell in cells):
        return False
    return all(one < two for one, two in pairwise(map(int, cells)))
