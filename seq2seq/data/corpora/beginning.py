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
from seq2seq.data.corpora.lexicon import LEXICON, is_comment, may_be_lexicon
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
        if given == LEXICON:
            return self._beside_lexicon(columns) if perhaps else given
        if given is None or (perhaps and given not in first):
            return self.named or delimiter_of(self.path, self.lines, columns, choosable=choosable)
        return "\t" if perhaps and self._width("\t") > 1 and not self._width(given) else given

    def _beside_lexicon(self, columns: Columns) -> str:
        """The delimiter of a file beside a lexicon: of CSV its own, and a tab where several words are before one."""
        if is_csv(self.path):
            found = self.named or delimiter_of(self.path, self.lines, columns, choosable=False)
            cells = cells_of(self.path, self.lines, found)
            return found if 2 * sum(len(row) > 1 for row in cells) > len(cells) else LEXICON
        rows = [line.split("\t") for line in self.lines if line.strip() and not is_comment(line)]
        several = any(len(cells[0].split()) > 1 for cells in rows if len(cells) > 1)
        return "\t" if several and len(rows[0]) > 1 else LEXICON

    def is_table(self, delimiter: str, columns: Columns) -> bool:
        """Tell whether a delimiter cuts all lines into rows of one width, or the first one names columns to read."""
        first = next((row for line in self.lines if line.strip() for row in cells_of(self.path, [line], delimiter)), [])
        if columns.titled(first) or (columns.named and columns.fit(first)):
            return True
        width = self._width(delimiter)
        return self._is_lexicon(width) if delimiter == LEXICON else width > 0

    def _is_lexicon(self, width: int) -> bool:
        """Tell whether lines whose rows have a width are those of a lexicon, or of its words, or its first comments."""
        lines = [line for line in self.lines if line.strip()]
        return width == 1 or all(map(is_comment, lines)) or (width == 2 and may_be_lexicon(lines))

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
        cells = {number: self._cells(line, delimiter) for number, line in enumerate(self.lines, start) if line.strip()}
        widths = {number: width for number, width in cells.items() if width is not None}
        usual, count = Counter(widths.values()).most_common(1)[0] if widths else (0, 0)
        number = next((number for number, width in widths.items() if width != usual), None)
        if number is None and usual == 2 and delimiter == LEXICON:
            return "its lines look like no words with their phones"
        if number is None or usual < 2 or 2 * count <= len(widths):
            return ""
        found = f"has {widths[number]} column{'s' * (widths[number] > 1)}" if widths[number] else "cannot be cut"
        return f"line {number} {found}, where most of the first {len(widths)} have {usual}"

    def _cells(self, line: str, delimiter: str) -> int | None:
        """The number of cells of a line; 0 where it is none of CSV, and None where it is a comment."""
        try:
            row = next(rows_of(self.path, [line], delimiter), None)
        except UserError:
            return 0
        return None if row is None else len(row[1])

    def rows(self, delimiter: str) -> Iterator[Row]:
        """The rows of the whole file, once, cut by a delimiter."""
        return rows_of(self.path, chain(self.lines, self.others), delimiter, start=2 if self.named else 1)

    def texts(self, delimiter: str) -> Iterator[str]:
        """The lines of the whole file, once, each up to a tab, without comments of a lexicon."""
        kept = (line for line in chain(self.lines, self.others) if delimiter != LEXICON or not is_comment(line))
        return (line.split("\t", 1)[0] for line in kept)
