"""Tables in text files: rows of cells between tabs, or between commas or semicolons with quotes as in CSV."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path

from seq2seq.data.corpora.csv_rows import (
    Row,
    cells_of,
    delimiter_of,
    is_csv,
    rows_of,
    separator_of,
    universal,
)
from seq2seq.data.corpora.header import names_columns
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)

_LOOKED_AT = 100  # lines
_NO_DELIMITERS = ('"', "\n", "\r", "\0")


@dataclass(frozen=True)
class Columns:
    """Options of a table: which columns hold sources and targets, by number from 1 or by name, and how cells are cut.

    Delimiter and header are found out by `auto`: a tab but in .csv files, and a first line of titles like `source`.
    Raises UserError at any other word.
    """

    source: int | str = 1
    target: int | str = 2
    delimiter: str = "auto"
    header: bool | str = "auto"

    def __post_init__(self) -> None:
        if self.delimiter != "auto" and len(self.delimiter) != 1:
            raise UserError(f"delimiter must be auto or one character, but is {self.delimiter[:60]!r}.")
        if self.delimiter in _NO_DELIMITERS:
            raise UserError(f"delimiter must be no quote, end of line or NUL, but is {self.delimiter!r}: try auto.")
        if not isinstance(self.header, bool) and self.header != "auto":
            raise UserError(f"header must be auto, true or false, but is {self.header!r}.")
        for name, column in (("source", self.source), ("target", self.target)):
            if isinstance(column, int) and column < 1:
                raise UserError(f"{name} must be at least 1, or the name of a column, but is {column}.")
            if isinstance(column, str) and self.header is False:
                raise UserError(f"{name} must be a number where header is false, but is {column!r}.")

    @property
    def named(self) -> bool:
        """Tell whether a column is given by name."""
        return isinstance(self.source, str) or isinstance(self.target, str)


def read_pairs(path: str | Path, columns: Columns | None = None) -> list[tuple[str, str]]:
    """The source and target of every row, in columns that are found out unless they are given.

    Raises UserError at a row that has not as many cells as it must.
    """
    return list(pairs_in(path, columns))


def pairs_in(path: str | Path, columns: Columns | None = None) -> Iterator[tuple[str, str]]:
    """The source and target of every row, one by one; see `read_pairs`."""
    option, columns = ("" if columns is None else "data.header"), columns or Columns()
    delimiter, beginning, rows = _opened(Path(path), columns.delimiter)
    first = next(rows)
    header = first[1] if _has_header(path, first[1], beginning, columns, option) else None
    places = [_place(path, name, getattr(columns, name), header) for name in ("source", "target")]
    wanted = 2 if header is None and max(places) < 2 else len(first[1])
    if wanted <= max(places):
        raise _irregular(path, first, max(places) + 1, delimiter)
    found = False
    for row in chain([] if header else [first], rows):
        if len(row[1]) != wanted:
            raise _irregular(path, row, wanted, delimiter)
        found = True
        yield row[1][places[0]], row[1][places[1]]
    if not found:
        raise UserError(f"{path} must hold at least one row below its header.")


def _opened(path: Path, delimiter: str) -> tuple[str, list[list[str]], Iterator[Row]]:
    """The delimiter, cells of the lines that a table begins with, behind the first, and all of its rows."""
    lines = universal(lines_of_file(path)) if is_csv(path) else lines_of_file(path)
    beginning = list(islice(lines, _LOOKED_AT))
    named = separator_of(path, beginning[0])
    if named and len(beginning) < 2:
        raise UserError(f"{path} must hold at least one row below its first line, which names the delimiter.")
    beginning = beginning[1:] if named else beginning
    if delimiter == "auto":
        delimiter = named or delimiter_of(path, beginning)
    rows = rows_of(path, chain(beginning, lines), delimiter, start=2 if named else 1)
    return delimiter, cells_of(beginning[1:], delimiter), rows


def _has_header(
    path: str | Path, first: Sequence[str], others: Sequence[Sequence[str]], columns: Columns, option: str
) -> bool:
    """Tell whether the first line names columns; what is found out is logged, with the option that says otherwise."""
    if columns.header != "auto" or columns.named:
        return columns.header is not False
    places = [column - 1 for column in (columns.source, columns.target) if isinstance(column, int)]
    if len(first) <= max(places):
        return False
    found = names_columns(
        [first[place] for place in places],
        [[cells[place] for place in places] for cells in others if len(cells) == len(first)],
    )
    if found:
        names = ", ".join(repr(cell[:60]) for cell in first)
        _say(f"{path}: the first line, {names}, is left out as a header", option)
    return found


@cache
def _say(found: str, option: str) -> None:
    """Log what was found out, once: train and dev can be one file, and scores read it anew."""
    logger.warning("%s%s", found, f" ({option}=false reads it as a pair)" if option else "")


def _place(path: str | Path, name: str, column: int | str, header: Sequence[str] | None) -> int:
    """The index of a column. Raises UserError at a name that the header lacks."""
    if isinstance(column, int):
        return column - 1
    if header is None or column not in header:
        raise UserError(f"{name} must be a column of {path}, {', '.join(header or ())}, but is {column!r}.")
    return list(header).index(column)


def _irregular(path: str | Path, row: Row, wanted: int, delimiter: str) -> UserError:
    number, cells = row
    shown = f"{delimiter.join(cells)[:60]!r}"
    if delimiter == "\t" and wanted == 2:
        return UserError(
            f"{path}, line {number} must be `source<TAB>target` with exactly one tab, but has {len(cells) - 1}: "
            f"{shown}. For other tables give delimiter, source or target."
        )
    return UserError(f"{path}, line {number} must have {wanted} columns, but has {len(cells)}: {shown}.")
