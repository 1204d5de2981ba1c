"""The beginning of a text file, from which it is found out whether it is a table, and what cuts its rows."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from seq2seq.data.corpora.columns import Columns
from seq2seq.data.corpora.csv_rows import (
    Row,
    cells_of,
    delimiter_of,
    is_blank,
    is_csv,
    rows_of,
    separator_of,
    universal,
)
from seq2seq.data.corpora.lexicon import LEXICON
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError

_LOOKED_AT = 100  # lines


class Beginning(NamedTuple):
    """The lines that a file begins with, and all others, without a first one that names the delimiter."""

    path: Path
    lines: list[str]
    others: Iterator[str]
    named: str | None  # the delimiter

    @classmethod
    def of(cls, path: Path) -> "Beginning":
        """The beginning of a file. Raises UserError where nothing is below a line that names the delimiter."""
        others = iter(universal(lines_of_file(path)) if is_csv(path) else lines_of_file(path))
        lines = list(islice(others, _LOOKED_AT))
        named = separator_of(path, lines[0])
        if named and len(lines) < 2:
            raise UserError(f"{path} must hold at least one row below its first line, which names the delimiter.")
        return cls(path, lines[1:] if named else lines, others, named)

    def delimiter(self, columns: Columns, *, perhaps: bool, choosable: bool) -> str:
        """The delimiter of columns that have one, else that of the file.

        One that is only `perhaps` the file's is not where the first line lacks it, or where tabs cut rows of one width
        and it does not, as it then stands in texts.
        """
        given, first = columns.separator, next((line for line in self.lines if line.strip()), "")
        if given == LEXICON and not (perhaps and "\t" in first):
            return given
        if given is None or (perhaps and given not in first):
            return self.named or delimiter_of(self.path, self.lines, columns, choosable=choosable)
        return "\t" if perhaps and self._width("\t") > 1 and not self._width(given) else given

    def is_table(self, delimiter: str, columns: Columns) -> bool:
        """Tell whether a delimiter cuts all lines into rows of one width, or the first one names columns to read."""
        first = next((row for line in self.lines if line.strip() for row in cells_of([line], delimiter)), [])
        return columns.titled(first) or (columns.named and columns.fit(first)) or self._width(delimiter) > 0

    def _width(self, delimiter: str) -> int:
        """The number of cells of every row, but of empty lines; 0 where rows differ, or are none of CSV."""
        try:
            widths = {len(row[1]) for row in rows_of(self.path, self.lines, delimiter) if not is_blank(row)}
        except UserError:
            return 0
        return widths.pop() if len(widths) == 1 else 0

    def misfit(self, delimiter: str) -> str:
        """The first line that keeps the lines from being a table, in words; empty where most are no rows anyway."""
        start = 2 if self.named else 1
        widths = {number: self._cells(line, delimiter) for number, line in enumerate(self.lines, start) if line.strip()}
        usual, count = Counter(widths.values()).most_common(1)[0] if widths else (0, 0)
        number = next((number for number, width in widths.items() if width != usual), None)
        if number is None or usual < 2 or 2 * count <= len(widths):
            return ""
        found = f"has {widths[number]} column{'s' * (widths[number] > 1)}" if widths[number] else "cannot be cut"
        return f"line {number} {found}, where most of the first {len(widths)} have {usual}"

    def _cells(self, line: str, delimiter: str) -> int:
        """The number of cells of a line; 0 where it is none of CSV."""
        try:
            return len(next(rows_of(self.path, [line], delimiter))[1])
        except UserError:
            return 0

    def rows(self, delimiter: str) -> Iterator[Row]:
        """The rows of the whole file, once, cut by a delimiter."""
        return rows_of(self.path, chain(self.lines, self.others), delimiter, start=2 if self.named else 1)

    def texts(self) -> Iterator[str]:
        """The lines of the whole file, once, each up to a tab."""
        return (line.split("\t", 1)[0] for line in chain(self.lines, self.others))
