"""Series in long tables: a row is a frame, which names its series."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from seq2seq.data.corpora.frame_files import FrameCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.series import Series
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError

Row = tuple[int, list[str]]


class CSVFrameCorpus(FrameCorpus):
    """A corpus of CSV files with a header and a row per frame; an empty cell is a missing value.

    Columns `series`, `time` and `target` are given by name, all others are features, or those named. Rows of a series
    adjoin, their times ascend, and their targets are the same. Times are no feature: gaps are read by `time_unit`.
    """

    def __init__(
        self,
        *,
        options: FileOptions,
        series: str = "series",
        time: str | None = "time",
        target: str = "target",
        features: Sequence[str] | None = None,
    ) -> None:
        super().__init__(options=options)
        self.series, self.time, self.target, self.features = series, time, target, features

    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and targets of a file. Raises UserError at a row that does not fit, by its line."""
        rows = _rows(path)
        _, header = next(rows, (1, []))
        places = self._places(path, header)
        seen: set[str] = set()
        for name, own in groupby(rows, lambda row: row[1][places[0]]):
            if name in seen:
                raise UserError(f"{path}: rows of series {name!r} must adjoin, but others are between: sort them.")
            seen.add(name)
            yield self._series(path, name, list(own), places)

    def _places(self, path: str, header: list[str]) -> list[int]:
        """Places of the columns of series, target and time, which is -1 without one, and of the features."""
        named = [self.series, self.target, *([] if self.time is None else [self.time])]
        features = [name for name in header if name not in named] if self.features is None else list(self.features)
        for name in [*named, *features]:
            if name not in header:
                raise UserError(f"{path} must have a column {name!r}, but has {', '.join(header)}.")
        if not features:
            raise UserError(f"{path} must have columns of features, but has {', '.join(header)}.")
        first = [header.index(self.series), header.index(self.target)]
        return [*first, -1 if self.time is None else header.index(self.time), *map(header.index, features)]

    def _series(self, path: str, name: str, rows: list[Row], places: list[int]) -> tuple[Series, str]:
        target = rows[0][1][places[1]]
        times = [-np.inf]
        for line, cells in rows:
            if cells[places[1]] != target:
                raise UserError(f"{path}, line {line}: target of series {name!r} must be one, {target!r}, but changes.")
            if places[2] >= 0:
                if not (now := _number(path, line, cells[places[2]])) > times[-1]:
                    raise UserError(f"{path}, line {line}: time of series {name!r} must ascend, but does not: sort it.")
                times.append(now)
        values = [[_number(path, line, cells[place]) for place in places[3:]] for line, cells in rows]
        known = None if places[2] < 0 else np.array(times[1:])
        return Series(np.array(values, np.float32), f"{path}, series {name}", known), target


def _rows(path: str) -> Iterator[Row]:
    reader, width = csv.reader(f"{line}\n" for line in lines_of_file(path)), None
    try:
        for cells in reader:
            width = width or len(cells)
            if len(cells) != width:
                raise UserError(f"{path}, line {reader.line_num} must have {width} columns, but has {len(cells)}.")
            yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num} cannot be read as CSV: {error}.") from None


def _number(path: str, line: int, cell: str) -> float:
    """The number of a cell; an empty one is missing."""
    try:
        return float(cell) if cell.strip() else float("nan")
    except ValueError:
        raise UserError(f"{path}, line {line} must hold numbers, but holds {cell[:40]!r}.") from None
