"""Tables in text files: rows of cells between tabs, or between commas or semicolons with quotes as in CSV."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from seq2seq.data.corpora.beginning import Beginning
from seq2seq.data.corpora.columns import Columns
from seq2seq.data.corpora.csv_rows import Row, cells_of, is_blank
from seq2seq.data.corpora.header import names_columns
from seq2seq.data.corpora.irregular_rows import irregular
from seq2seq.data.corpora.lexicon import LEXICON, check_phones
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)


def read_pairs(path: str | Path, columns: Columns | None = None) -> list[tuple[str, str]]:
    """The source and target of every row, in columns that are found out unless they are given.

    Raises UserError at a row that has not as many cells as it must.
    """
    return list(pairs_in(path, columns))


def pairs_in(path: str | Path, columns: Columns | None = None, *, perhaps: bool = False) -> Iterator[tuple[str, str]]:
    """The source and target of every row, one by one; see `read_pairs`.

    Of columns that are those of another table, and so `perhaps` of this one, nothing is kept where it has not got them.
    """
    choosable = columns is not None and not perhaps
    columns = columns or Columns()
    start = Beginning.of(Path(path))
    rows = start.rows(delimiter := start.delimiter(columns, perhaps=perhaps, choosable=choosable))
    return _pairs(path, columns, _OpenedTable(delimiter, start.lines, _first(path, rows), rows), choosable)


def sources_in(path: str | Path, columns: Columns | None = None) -> Iterator[str]:
    """The source of every row of pairs, or of a table that has the columns of another; see `pairs_in`.

    Any other table has it in its first column. A file that names no columns to read, and whose beginning is not cut
    into rows of one width, is no table: it has a source a line, before a tab if there is one; where a few rows alone
    keep it from being one, the first is named. Empty lines of a table are none.
    """
    columns, start = columns or Columns(), Beginning.of(Path(path))
    delimiter = start.delimiter(columns, perhaps=True, choosable=False)
    if not start.is_table(delimiter, columns):
        if misfit := start.misfit(delimiter):
            logger.warning("%s is read as lines of text, each a source up to a tab, and not as pairs: %s", path, misfit)
        yield from start.texts(delimiter)
        return
    rows = (row for row in start.rows(delimiter) if not is_blank(row))
    first = _first(path, rows)
    if len(first[1]) == 2 or columns.titled(first[1]) or _are_chosen(columns, first[1]):
        beginning = [line for line in start.lines if line.strip()]
        table = _OpenedTable(delimiter, beginning, first, rows)
        yield from (source for source, _ in _pairs(path, columns, table, choosable=False))
    else:
        yield from (cells[0] for _, cells in chain([first], rows))


def _first(path: str | Path, rows: Iterator[Row]) -> Row:
    """The first row. Raises UserError where there is none, which is so of comments of a lexicon."""
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path} must hold at least one row that is no comment.")
    return first


def _are_chosen(columns: Columns, first: Sequence[str]) -> bool:
    """Tell whether columns are chosen that a table has whose first row this is."""
    return not columns.pairs_only and columns.fit(first)


def _pairs(path: str | Path, columns: Columns, table: "_OpenedTable", choosable: bool) -> Iterator[tuple[str, str]]:
    """The source and target of every row of a table that was opened; of other columns than it can have, of the two."""
    delimiter, beginning, first, rows = table
    if delimiter == LEXICON:
        check_phones(path, beginning)
    if not choosable and not columns.fit(first[1]):
        columns = Columns()
    if columns.pairs_only and len(first[1]) != 2 and not columns.titled(first[1]):
        raise irregular(path, first, 2, delimiter, beginning, choosable=choosable)
    option = "data.header" if choosable else ""
    others = cells_of(Path(path), beginning, delimiter)[1:]
    header = first[1] if _has_header(path, first[1], others, columns, option) else None
    places = columns.places(path, header)
    last, wanted = max(chain(*places)), len(first[1])
    if wanted <= last:
        raise irregular(path, first, last + 1, delimiter, beginning, choosable=choosable)
    found = False
    for row in _regular(path, chain([] if header else [first], rows), wanted, delimiter):
        found = True
        yield _joined(row, places[0]), _joined(row, places[1])
    if not found:
        raise UserError(f"{path} must hold at least one row below its header.")


def _regular(path: str | Path, rows: Iterable[Row], wanted: int, delimiter: str) -> Iterator[list[str]]:
    """Cells of the rows, without empty lines that a table ends in. Raises UserError at one of another width."""
    blank: Row | None = None
    for row in rows:
        if is_blank(row):
            blank = blank or row
            continue
        if blank or len(row[1]) != wanted:
            raise irregular(path, blank or row, wanted, delimiter)
        yield row[1]


def _joined(cells: Sequence[str], places: Sequence[int]) -> str:
    """The cells at some places, with spaces between those that hold something."""
    return cells[places[0]] if len(places) == 1 else " ".join(cells[place] for place in places if cells[place].strip())


class _OpenedTable(NamedTuple):
    """The delimiter of a table, the lines that it begins with, its first row and all others."""

    delimiter: str
    beginning: list[str]
    first: Row
    rows: Iterator[Row]


def _has_header(
    path: str | Path, first: Sequence[str], others: Sequence[Sequence[str]], columns: Columns, option: str
) -> bool:
    """Tell whether the first line names columns; what is found out is logged, with the option that says otherwise."""
    if columns.header != "auto" or columns.named:
        return columns.header is not False
    places = list(chain(*columns.places(path, None)))
    if len(first) <= max(places):
        return False
    titled = columns.titled(first)
    found = titled or names_columns(
        [first[place] for place in places],
        [[cells[place] for place in places] for cells in others if len(cells) == len(first)],
    )
    if found:
        names = ", ".join(repr(cell[:60]) for cell in first)
        read = ", and its columns source and target are read" if titled and first != ["source", "target"] else ""
        _say(f"{path}: the first line, {names}, is left out as a header{read}", option)
    return found


@cache
def _say(found: str, option: str) -> None:
    """Log what was found out, once: train and dev can be one file, and scores read it anew."""
    logger.warning("%s%s", found, f" ({option}=false reads it as a pair)" if option else "")
