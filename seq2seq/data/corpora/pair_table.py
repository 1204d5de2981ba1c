"""Tables in text files: rows of cells between tabs, or between commas or semicolons with quotes as in CSV."""

import csv
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path

from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)

# Words that a first line is made of where it names columns.
_TITLES = frozenset(
    """
    answer corrected correction english form french german grapheme graphemes hypothesis inflection input ipa lemma
    normalised normalized original orthography output phone phoneme phonemes phones pron pronunciation pronunciations
    question reference sentence source spanish spelling src target text tgt transcription translation transliteration
    trg word words
    """.split()  # noqa: SIM905
)
_LOOKED_AT = 100  # lines
_DELIMITERS = (",", ";", "\t")
Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Columns:
    """Options of a table: which columns hold sources and targets, by number from 1 or by name, and how cells are cut.

    Delimiter and header are found out by `auto`: a tab but in .csv files, and a first line of words like `source`.
    Raises UserError at any other word.
    """

    source: int | str = 1
    target: int | str = 2
    delimiter: str = "auto"
    header: bool | str = "auto"

    def __post_init__(self) -> None:
        if self.delimiter != "auto" and len(self.delimiter) != 1:
            raise UserError(f"delimiter must be auto or one character, but is {self.delimiter!r}.")
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
    lines = lines_of_file(path)
    first_lines = list(islice(lines, _LOOKED_AT))
    delimiter = _delimiter(Path(path), first_lines) if columns.delimiter == "auto" else columns.delimiter
    lines = chain(first_lines, lines)
    quoted = delimiter != "\t" or _is_csv(Path(path))
    rows = _parse(path, lines, delimiter) if quoted else _split(lines)
    first = next(rows)
    header = first[1] if _has_header(path, first[1], columns, option) else None
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


def _split(lines: Iterable[str]) -> Iterator[Row]:
    return ((number, line.split("\t")) for number, line in enumerate(lines, 1))


def _parse(path: str | Path, lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any("\n" in cell for cell in cells):
                raise UserError(
                    f"{path}, line {reader.line_num}: a cell must be on one line, but this one is on several."
                )
            yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num} cannot be read as CSV: {error}.") from None


def _delimiter(path: Path, lines: Sequence[str]) -> str:
    """A tab, but in a .csv file what cuts most lines into as many cells as the first."""
    if not _is_csv(path):
        return "\t"

    def regular(delimiter: str) -> int:
        first, *others = (len(cells) for cells in csv.reader(lines, delimiter=delimiter))
        return 1 + others.count(first) if first > 1 else 0

    return max(_DELIMITERS, key=regular)


def _is_csv(path: Path) -> bool:
    return ".csv" in path.suffixes[-2:]


def _has_header(path: str | Path, first: Sequence[str], columns: Columns, option: str) -> bool:
    """Tell whether the first line names columns; what is found out is logged, with the option that says otherwise."""
    if columns.header != "auto" or columns.named:
        return columns.header is not False
    words = [re.findall(r"\w+", cell.casefold()) for cell in first]
    found = len({tuple(own) for own in words}) > 1 and all(own and _TITLES.issuperset(own) for own in words)
    if found:
        names = ", ".join(map(repr, first))
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
