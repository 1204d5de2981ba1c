"""Columns of tables whose rows are frames."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seq2seq.errors import UserError

ROW_NUMBERS = re.compile(r"|Unnamed: \d+|__index_level_\d+__")  # what pandas calls them where they are written along
_ABSENT = {
    "series": "add one that says which series a row is of, the same in all if there is one series",
    "time": "give time=COLUMN, or time=null where rows are in order",
    "target": "give target=COLUMN, or horizon to forecast the end of each series",
    "features": "it is among the features, by name or as train has it",
}


class FrameColumns(NamedTuple):
    """Places of columns in a row, and the names of all."""

    series: int
    time: int | None
    targets: list[int]
    features: list[int]
    names: list[str]


@dataclass(frozen=True)
class ColumnNames:
    """Names of the columns that name a series, its times and its targets, and of features; None: all others.

    With a horizon there are no targets, and whatever is called so is a feature.
    """

    series: str
    time: str | None
    targets: list[str]
    features: list[str] | None
    horizon: bool

    def places(self, path: str, header: list[str], *, targets: bool) -> FrameColumns:
        """Places of the columns in a file, of targets among them if they are needed.

        Raises UserError, by name, at one that is not there, is there twice, or numbers rows.
        """
        asked = self.targets if targets else []
        others = {self.series, self.time, *asked, *(() if self.horizon else self.targets)}
        features = [name for name in header if name not in others] if self.features is None else self.features
        for option, names in (
            ("series", [self.series]),
            ("target", asked),
            ("time", [] if self.time is None else [self.time]),
            ("features", features),
        ):
            for name in names:
                _check(path, header, name, option)
        if self.features is None:
            _refuse_row_numbers(path, header, features)
        if not features:
            raise UserError(f"{path} must have columns of features, but has {', '.join(header)}.")
        time = None if self.time is None else header.index(self.time)
        found = (header.index(self.series), time, [*map(header.index, asked)], [*map(header.index, features)])
        return FrameColumns(*found, header)


def _check(path: str, header: list[str], name: str, option: str) -> None:
    if name not in header:
        alike = next((own for own in header if own.casefold() == name.casefold()), None)
        advice = _ABSENT[option] if alike is None else f"give {option}={alike}, as the file has it"
        raise UserError(f"{path} must have a column {name!r}, but has {', '.join(header)}: {advice}.")
    if header.count(name) > 1:
        raise UserError(f"{path} must have column {name!r} once, but has it {header.count(name)} times: rename.")


def _refuse_row_numbers(path: str, header: list[str], features: Sequence[str]) -> None:
    """Refuse columns that number rows, which a model would read, and write, as if they said something."""
    for name in features:
        if ROW_NUMBERS.fullmatch(name):
            raise UserError(
                f"{path}, column {header.index(name) + 1} is called {name!r}, as pandas calls the numbers of rows, "
                "which are no feature: leave it out by index=False, give it a name, or name the columns to read as "
                "features."
            )
