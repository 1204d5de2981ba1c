"""Rows of cells in lines of text: between tabs, or between other delimiters with quotes as in CSV."""

import csv
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from seq2seq.data.corpora.columns import Columns, name_of
from seq2seq.data.corpora.lexicon import LEXICON, lexicon_rows
from seq2seq.errors import UserError, shown
from seq2seq.locks import Lock

Row = tuple[int, list[str]]
_DELIMITERS = (",", ";", "\t")
_SEPARATOR = re.compile(r'"?sep=([^"])"?', re.IGNORECASE)  # what spreadsheets write into a first line
_one_at_a_time = Lock()  # csv has one limit for the whole process


def is_csv(path: Path) -> bool:
    """Tell whether a file is named as CSV, packed or not."""
    return ".csv" in [suffix.lower() for suffix in path.suffixes[-2:]]


def universal(lines: Iterable[str]) -> Iterator[str]:
    """The lines, cut at carriage returns, too."""
    return (part for line in lines for part in line.split("\r"))


def is_blank(row: Row) -> bool:
    """Tell whether a row is of a line of nothing."""
    return len(row[1]) < 2 and not "".join(row[1]).strip()


def rows_of(path: Path, lines: Iterable[str], delimiter: str, *, start: int = 1) -> Iterator[Row]:
    """Rows of cells, each behind the number of its line. Raises UserError at one that is none of CSV."""
    if delimiter == LEXICON:
        yield from lexicon_rows(lines, start)
        return
    if not _is_quoted(path, delimiter):
        yield from ((number, line.split(delimiter)) for number, line in enumerate(lines, start))
        return
    reader = csv.reader((f"{_close(line, delimiter)}\n" for line in lines), delimiter=delimiter, strict=True)
    while True:
        first = start + reader.line_num
        try:
            with _any_length():
                cells = next(reader, None)
        except csv.Error as error:
            raise _unreadable(path, first, start - 1 + reader.line_num, str(error)) from None
        if cells is None:
            return
        number = start - 1 + reader.line_num
        if any("\n" in cell for cell in cells):
            raise UserError(
                f"{path}, line {number}: a cell must be on one line, but this one is on several, from line {first} on: "
                "put a space in the place of each end of a line inside of it."
            )
        yield number, cells


def _unreadable(path: Path, first: int, last: int, reason: str) -> UserError:
    if "unexpected end of data" in reason:
        return UserError(
            f"{path}, line {first} cannot be read as CSV: a quote in it is not closed. Close it, or double it if it is "
            "one of the text, in quotes around the whole cell."
        )
    if "new-line character" in reason:
        return UserError(f"{path}, line {last} cannot be read as CSV: a carriage return is in it. Take it out.")
    return UserError(f"{path}, line {last} cannot be read as CSV: {reason}.")


def separator_of(path: Path, line: str) -> str | None:
    """The delimiter that the first line of a CSV file names, as in `sep=;`; None if it does not."""
    found = _SEPARATOR.fullmatch(line.strip(" ")) if is_csv(path) else None
    return found[1] if found else None


def delimiter_of(path: Path, lines: Sequence[str], columns: Columns, *, choosable: bool) -> str:
    """A tab, but in a CSV file what cuts most lines into as many cells as the first.

    Of several, it is the one that gives the columns. Raises UserError where there are more of these.
    """
    if not is_csv(path):
        return "\t"
    rows = {delimiter: cells_of(path, lines, delimiter) for delimiter in _DELIMITERS}
    alike = {delimiter: _regular(cells) for delimiter, cells in rows.items()}
    best = [delimiter for delimiter in _DELIMITERS if alike[delimiter] == max(alike.values())]
    meant = [] if columns.pairs_only else [own for own in best if columns.fit(rows[own][0])]
    meant = meant or [own for own in best if len(rows[own][0]) == 2]
    if len(meant) > 1:
        named = " or ".join(f"data.delimiter={name_of(own)}" for own in meant)
        what = f"say which, {named}" if choosable else "put `sep=;` in a line above, or another"
        raise UserError(
            f"{path} must be cut by one delimiter, but {' and '.join(map(repr, meant))} do it alike in "
            f"{shown(lines[0])}: {what}."
        )
    return (meant or best)[0]


def _regular(rows: Sequence[Sequence[str]]) -> int:
    """The number of rows that have as many cells as the first, if it has several."""
    first, *others = map(len, rows)
    return 1 + others.count(first) if first > 1 else 0


def cells_of(path: Path, lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Cells of some lines of a file, as well as they can be told: nothing is refused."""
    if delimiter == LEXICON:
        return [cells for _, cells in lexicon_rows(lines)]
    if not _is_quoted(path, delimiter):
        return [line.split(delimiter) for line in lines]
    return quoted_cells(lines, delimiter)


def quoted_cells(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Cells of some lines of CSV; where a carriage return keeps them from being that, what the delimiter alone cuts."""
    try:
        with _any_length():
            return list(csv.reader([_close(line, delimiter) for line in lines], delimiter=delimiter))
    except csv.Error:
        return [line.split(delimiter) for line in lines]


def _is_quoted(path: Path, delimiter: str) -> bool:
    """Tell whether quotes in a file are those of CSV: between tabs they are text, but in a file named as CSV."""
    return delimiter != "\t" or is_csv(path)


@contextmanager
def _any_length() -> Iterator[None]:
    """Let a cell be of any length for as long as the context is open."""
    with _one_at_a_time:
        before = csv.field_size_limit(sys.maxsize)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _close(line: str, delimiter: str) -> str:
    """The line without spaces between a delimiter and a quote, which would make the quote one of the text."""
    return _cell(delimiter).sub(r"\1\2\3", line) if '"' in line and delimiter != " " else line


@cache
def _cell(delimiter: str) -> re.Pattern[str]:
    """A cell and the delimiter before it: one in quotes, with spaces around it, or any other."""
    end = re.escape(delimiter)
    return re.compile(rf'(^|{end})(?: *("(?:[^"]|"")*+") *(?={end}|$)|([^{end}]*))')
