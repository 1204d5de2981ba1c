"""Series in long tables: a row is a frame, which names its series."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq.data.corpora.csv_rows import rows_of, separator_of, universal
from seq2seq.data.corpora.frame_cells import are_days, day_of, is_empty, is_missing, number_of, time_of
from seq2seq.data.corpora.frame_files import FrameCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.series import Series
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)
Row = tuple[int, Sequence[Any]]
_LOOKED_AT = 1000  # rows
_DELIMITERS = (",", ";", "\t", "|")


class CSVFrameCorpus(FrameCorpus):
    """A corpus of CSV files with a header and a row per frame; a cell that is empty or says NA is a missing value.

    Cells stand between commas, semicolons, tabs or bars, whichever parts the header; rows of nothing are passed over.
    Columns `series`, `time` and `target` are given by name, all others are features, or those named. Rows of a series
    adjoin, their times, numbers or moments, ascend, and their targets are the same. Times are no feature: gaps are read
    by `time_unit`. With `days`, eight digits such as 20240131 are a moment, too; numbers that look so are warned of.
    Where `target` is several columns, these are the frames that answer a series, as long as it is; with a `horizon`
    there is none.
    """

    row = "line"  # as mistakes call it

    def __init__(
        self,
        *,
        options: FileOptions,
        series: str = "series",
        time: str | None = "time",
        target: str | Sequence[str] = "target",
        features: Sequence[str] | None = None,
        horizon: int | None = None,
        days: bool = False,
    ) -> None:
        super().__init__(options=options, horizon=horizon)
        self.days = days
        self.series_column, self.time, self.target, self.features = series, time, target, features
        self._targets = [target] if isinstance(target, str) else list(target)
        if horizon is None and not self._targets:
            raise UserError("target must name at least one column, but is empty: give horizon, for forecasts.")

    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and targets of a file. Raises UserError at a row that does not fit, by its line."""
        _, columns, rows = self._opened(path, self._targets)
        for name, own in self._by_series(path, rows, columns):
            yield self._series(path, name, own, columns), self._answer(path, name, own, columns)

    def series(self, path: str) -> Iterable[Series]:
        """Series of a file; without a horizon, columns of targets may be missing."""
        yield from self.named_series(path)[1]

    def named_series(self, path: str) -> tuple[list[str], Iterable[Series]]:
        """The names of the columns of targets, with a horizon of all features, and the series of a file."""
        header, columns, rows = self._opened(path, [])
        names = self._targets if self.horizon is None else [header[place] for place in columns.features]
        return names, (self._series(path, name, own, columns) for name, own in self._by_series(path, rows, columns))

    def rows(self, path: str) -> Iterator[Row]:
        """Rows of a file with their numbers, the header first; None and an empty text are missing values."""
        return _rows(path, self.series_column)

    def _opened(self, path: str, targets: Sequence[str]) -> tuple[list[str], "_FrameColumns", Iterator[Row]]:
        """The header of a file, where its columns are, and the rows below."""
        rows = self.rows(path)
        header = [str(name) for name in next(rows, (1, []))[1]]
        columns = self._columns(path, header, targets)
        return header, columns, rows if self.days or columns.time is None else _watched(path, rows, columns.time)

    def _by_series(self, path: str, rows: Iterator[Row], columns: "_FrameColumns") -> Iterator[tuple[str, list[Row]]]:
        """The name and the rows of each series."""
        seen: set[str] = set()
        for name, own in groupby(rows, lambda row: self._name(path, row, columns.series)):
            if name in seen:
                raise UserError(f"{path}: rows of series {name!r} must adjoin, but others are between: sort them.")
            seen.add(name)
            yield name, list(own)

    def _name(self, path: str, row: Row, place: int) -> str:
        number, cells = row
        if is_empty(cells[place]):
            raise UserError(f"{path}, {self.row} {number} must name its series, but its {self.series_column} is empty.")
        return str(cells[place])

    def _columns(self, path: str, header: list[str], targets: Sequence[str]) -> "_FrameColumns":
        """Places of the columns, of these targets among them."""
        needed = [self.series_column, *targets, *([] if self.time is None else [self.time])]
        others = {*needed, *(self._targets if self.horizon is None else ())}
        features = [name for name in header if name not in others] if self.features is None else list(self.features)
        for name in [*needed, *features]:
            if name not in header:
                raise UserError(f"{path} must have a column {name!r}, but has {', '.join(header)}.")
            if header.count(name) > 1:
                raise UserError(
                    f"{path} must have column {name!r} once, but has it {header.count(name)} times: rename."
                )
        if not features:
            raise UserError(f"{path} must have columns of features, but has {', '.join(header)}.")
        time = None if self.time is None else header.index(self.time)
        return _FrameColumns(
            header.index(self.series_column), time, [*map(header.index, targets)], [*map(header.index, features)]
        )

    def _series(self, path: str, name: str, rows: list[Row], columns: "_FrameColumns") -> Series:
        """The frames of a series, and their times, if it has any, which ascend."""
        times = None if columns.time is None else self._times(path, name, rows, columns.time)
        return Series(self._values(path, rows, columns.features), f"{path}, series {name}", times)

    def _times(self, path: str, name: str, rows: list[Row], place: int) -> np.ndarray:
        times = [-np.inf]
        for number, cells in rows:
            where = f"{path}, {self.row} {number}"
            if not (now := time_of(cells[place], where, days=self.days)) > times[-1]:
                wrong = "repeats: keep one row of each" if now == times[-1] else "does not: sort it"
                raise UserError(f"{where}: time of series {name!r} must ascend, but {wrong}.")
            times.append(now)
        return np.array(times[1:])

    def _answer(self, path: str, name: str, rows: list[Row], columns: "_FrameColumns") -> str:
        """The target of a series: frames of several columns, or what stands in every row of one."""
        if not isinstance(self.target, str):
            return Series(self._values(path, rows, columns.targets), f"the target of {path}, series {name}")
        (place,) = columns.targets
        target = str(rows[0][1][place])
        for number, cells in rows:
            if is_missing(cells[place]) and not isinstance(cells[place], str):  # an empty text can be the answer
                raise UserError(
                    f"{path}, {self.row} {number}: series {name!r} must have a target, but has none: leave it out."
                )
            if str(cells[place]) != target:
                raise UserError(
                    f"{path}, {self.row} {number}: target of series {name!r} must be one, {target!r}, but changes."
                )
        return target

    def _values(self, path: str, rows: list[Row], places: Sequence[int]) -> np.ndarray:
        values = [
            [number_of(cells[place], f"{path}, {self.row} {number}") for place in places] for number, cells in rows
        ]
        return np.array(values, np.float32)


def _watched(path: str, rows: Iterator[Row], place: int) -> Iterator[Row]:
    """The rows; where times of the first ones look like days that are written as numbers, that is said."""
    beginning = list(islice(rows, _LOOKED_AT))
    times = [cells[place] for _, cells in beginning]
    if are_days(times):
        first = str(times[0]).strip()
        logger.warning(
            "%s: times look like days, but are read as numbers, so that months are of 100: data.days=true reads %s as "
            "%s",
            *(path, first, day_of(first)),
        )
    return chain(beginning, rows)


class _FrameColumns(NamedTuple):
    """Places of columns in a row."""

    series: int
    time: int | None
    targets: list[int]
    features: list[int]


def _rows(path: str, column: str) -> Iterator[Row]:
    """Rows of cells, those of nothing passed over, with the numbers of their lines."""
    lines = universal(lines_of_file(path))
    first = next(lines)
    delimiter, start = separator_of(Path(path), first), 2
    if delimiter is None:
        delimiter, start = _delimiter(first, column), 1
        lines = chain([first], lines)
    width = None
    for number, cells in rows_of(Path(path), lines, delimiter, start=start):
        if not any(cell.strip() for cell in cells):
            continue
        if width is None:
            width, cells = len(cells), [cell.strip() for cell in cells]
        if len(cells) != width:
            raise UserError(f"{path}, line {number} must have {width} columns, but has {len(cells)}.")
        yield number, cells


def _delimiter(header: str, column: str) -> str:
    """The character that parts a header so that the column stands alone in it; else the most frequent one."""
    parted = {mark: [cell.strip(' "') for cell in header.split(mark)] for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: (column in parted[mark], len(parted[mark])))
