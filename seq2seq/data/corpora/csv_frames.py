"""Series in long tables: a row is a frame, which names its series."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.data.corpora.csv_rows import rows_of, separator_of, universal
from seq2seq.data.corpora.frame_cells import (
    are_days,
    day_of,
    is_empty,
    is_missing,
    names_no_zone,
    number_of,
    time_of,
)
from seq2seq.data.corpora.frame_columns import ColumnNames, FrameColumns
from seq2seq.data.corpora.frame_files import FrameCorpus, examples_of, parted
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Splits
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
    Columns without a name, and numbers of rows as pandas writes them, are refused, or with `unnamed` features, too.
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
        unnamed: bool = False,
    ) -> None:
        super().__init__(options=options, horizon=horizon)
        self.days = days
        self.series_column, self.target = series, target
        self._targets = [target] if isinstance(target, str) else list(target)
        read = None if features is None else list(features)
        self._named = ColumnNames(series, time, self._targets, read, horizon is not None, unnamed)
        if horizon is None and not self._targets:
            raise UserError("target must name at least one column, but is empty: give horizon, for forecasts.")
        if horizon is not None and self._targets not in ([], ["target"]):
            raise UserError(
                f"target must be left out beside horizon={horizon}, as the end of each series is the target, but is "
                f"{target!r}: features says which columns are read and forecast."
            )

    def load(self) -> Splits:
        """The splits, with the names of the features. Raises UserError where a file lacks one of them."""
        return replace(super().load(), features=tuple(self._named.features or ()))

    def split(self, path: str) -> Examples:
        """Examples of a split; features of train, which is first, are those of the others, whatever their order."""
        columns, rows = self._opened(path, targets=self.horizon is None)
        if path == self.options.train:
            self._named = replace(self._named, features=columns.read)
        return examples_of(path, self._pairs(path, columns, rows))

    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and targets of a file. Raises UserError at a row that does not fit, by its line."""
        yield from self._pairs(path, *self._opened(path, targets=self.horizon is None))

    def series(self, path: str) -> Iterable[Series]:
        """Series of a file; without a horizon, columns of targets may be missing."""
        yield from self.named_series(path)[1]

    def named_series(self, path: str) -> tuple[list[str], Iterable[Series]]:
        """The names of the columns of targets, with a horizon of all features, and the series of a file."""
        columns, rows = self._opened(path, targets=False)
        names = self._targets if self.horizon is None else columns.read
        return names, (self._series(path, name, own, columns) for name, own in self._by_series(path, rows, columns))

    def rows(self, path: str) -> Iterator[Row]:
        """Rows of a file with their numbers, the header first; None and an empty text are missing values."""
        return _rows(path, self.series_column)

    def _opened(self, path: str, *, targets: bool) -> tuple[FrameColumns, Iterator[Row]]:
        """Places of the columns of a file, of targets among them if they are needed, and the rows below."""
        rows = self.rows(path)
        header = [str(name) for name in next(rows, (1, []))[1]]
        beginning = list(islice(rows, _LOOKED_AT))
        columns = self._named.places(path, header, [cells for _, cells in beginning], targets=targets)
        if columns.time is not None and not self.days:
            _warn_of_days(path, [cells[columns.time] for _, cells in beginning])
        return columns, chain(beginning, rows)

    def _pairs(self, path: str, columns: FrameColumns, rows: Iterator[Row]) -> Iterator[tuple[Series, str]]:
        """Series and targets, the end of each where that is to be forecast."""
        several = self._by_series(path, rows, columns)
        for name, own in several:
            series = self._series(path, name, own, columns)
            if self.horizon is None:
                yield series, self._answer(path, name, own, columns)
                continue
            try:
                yield parted(series, self.horizon)
            except UserError:
                deque(several, maxlen=0)  # which raises where the rows of a series do not adjoin
                raise

    def _by_series(self, path: str, rows: Iterator[Row], columns: FrameColumns) -> Iterator[tuple[str, list[Row]]]:
        """The name and the rows of each series."""
        seen: set[str] = set()
        advice = "sort rows by series" if columns.time is None else "sort rows by series, then by time"
        for name, own in groupby(rows, lambda row: self._name(path, row, columns.series)):
            if name in seen:
                raise UserError(f"{path}: rows of series {name!r} must adjoin, but others are between: {advice}.")
            seen.add(name)
            yield name, list(own)

    def _name(self, path: str, row: Row, place: int) -> str:
        number, cells = row
        if is_empty(cells[place]):
            raise UserError(f"{path}, {self.row} {number} must name its series, but its {self.series_column} is empty.")
        return str(cells[place])

    def _series(self, path: str, name: str, rows: list[Row], columns: FrameColumns) -> Series:
        """The frames of a series, and their times, if it has any, which ascend."""
        times = None if columns.time is None else self._times(path, name, rows, columns)
        return Series(self._values(path, rows, columns.features, columns.names), f"{path}, series {name}", times)

    def _times(self, path: str, name: str, rows: list[Row], columns: FrameColumns) -> np.ndarray:
        assert columns.time is not None
        times, column = [-np.inf], columns.names[columns.time]
        for number, cells in rows:
            where, cell = f"{path}, {self.row} {number}", cells[columns.time]
            if not (now := time_of(cell, f"{where}, column {column!r}", days=self.days)) > times[-1]:
                wrong = "repeats: keep one row of each" if now == times[-1] else "does not: sort it"
                zone = "; if clocks were set back, write the zone, as in +01:00" if names_no_zone(cell) else ""
                raise UserError(f"{where}: time of series {name!r} must ascend, but {wrong}{zone}.")
            times.append(now)
        return np.array(times[1:])

    def _answer(self, path: str, name: str, rows: list[Row], columns: FrameColumns) -> str:
        """The target of a series: frames of several columns, or what stands in every row of one."""
        if not isinstance(self.target, str):
            return Series(
                self._values(path, rows, columns.targets, columns.names, "target"),
                f"the target of {path}, series {name}",
            )
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

    def _values(
        self, path: str, rows: list[Row], places: Sequence[int], names: Sequence[str], read_as: str = "features"
    ) -> np.ndarray:
        where = f"{path}, {self.row}"
        return np.array(
            [
                [number_of(cells[place], f"{where} {number}, column {names[place]!r}", read_as) for place in places]
                for number, cells in rows
            ]
        )


def _warn_of_days(path: str, times: Sequence[Any]) -> None:
    """Warn where the times of the first rows look like days that are written as numbers."""
    if are_days(times):
        first = str(times[0]).strip()
        logger.warning(
            "%s: times look like days, but are read as numbers, so that months are of 100: data.days=true reads %s as "
            "%s",
            *(path, first, day_of(first)),
        )


def _rows(path: str, column: str) -> Iterator[Row]:
    """Rows of cells, those of nothing passed over, with the numbers of their lines."""
    lines = universal(lines_of_file(path))
    above, first = next((number, line) for number, line in enumerate(lines) if line.strip())
    delimiter, start = separator_of(Path(path), first), above + 2
    if delimiter is None:
        delimiter, start = _delimiter(first, column), above + 1
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
