"""The columns of a table that hold sources and targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.data.corpora.lexicon import LEXICON
from seq2seq.errors import UserError

_AUTO = "auto"
_TITLES = ("source", "target")
_NO_DELIMITERS = ('"', "\n", "\r", "\0")
# Delimiters by names that a shell leaves alone; the last two are what people try for a tab and a bar.
_NAMED = {"tab": "\t", "comma": ",", "semicolon": ";", "space": " ", "bar": "|", r"\t": "\t", "pipe": "|"}
Column = int | str


@dataclass(frozen=True)
class Columns:
    """Options of a table: which columns hold sources and targets, by number from 1 or by name, and how cells are cut.

    At `auto` they are the columns named `source` and `target`, or the two of a table that has no more. Of several
    columns, cells are joined by spaces.
    Delimiter and header are found out by `auto`: a tab but in .csv files, and a first line of titles like `source`.
    A delimiter is one character, or its name: tab, comma, semicolon, space or bar; or lexicon, of a word and its phones
    with white space between all. Raises UserError at any other word.
    """

    source: Column | Sequence[Column] = _AUTO
    target: Column | Sequence[Column] = _AUTO
    delimiter: str = _AUTO
    header: bool | str = _AUTO

    def __post_init__(self) -> None:
        if self.delimiter not in (_AUTO, LEXICON, *_NAMED) and len(self.delimiter) != 1:
            raise UserError(
                "delimiter must be auto, tab, comma, semicolon, space, bar, lexicon or one character, but is "
                f"{self.delimiter[:60]!r}."
            )
        if self.delimiter in _NO_DELIMITERS:
            raise UserError(f"delimiter must be no quote, end of line or NUL, but is {self.delimiter!r}: try auto.")
        if not isinstance(self.header, bool) and self.header != _AUTO:
            raise UserError(f"header must be auto, true or false, but is {self.header!r}.")
        sides = self._sides()
        for name, columns in sides.items():
            if not columns:
                raise UserError(f"{name} must be a column or several, but is []: give one.")
            for column in columns:
                self._check(name, column)
        _check_apart(sides["source"], sides["target"])

    def _check(self, name: str, column: Column) -> None:
        if isinstance(column, int) and column < 1:
            raise UserError(f"{name} must be at least 1, or the name of a column, but is {column}.")
        if isinstance(column, str) and self.header is False:
            raise UserError(f"{name} must be a number where header is false, but is {column!r}.")

    def _sides(self) -> dict[str, Sequence[Column]]:
        """The columns of each side."""
        sides = {"source": (self.source, 1), "target": (self.target, 2)}
        return {
            name: (automatic if given == _AUTO else given,) if isinstance(given, int | str) else given
            for name, (given, automatic) in sides.items()
        }

    @property
    def separator(self) -> str | None:
        """The character between cells; None where it is to be found out."""
        return None if self.delimiter == _AUTO else _NAMED.get(self.delimiter, self.delimiter)

    @property
    def pairs_only(self) -> bool:
        """Tell whether a table must have two columns, or two of these names, as none is chosen."""
        return self.source == self.target == _AUTO

    def titled(self, first: Sequence[str]) -> bool:
        """Tell whether the first row of a table names a column source and one target, and none is chosen."""
        once = all(first.count(title) == 1 for title in _TITLES)
        return once and self.pairs_only and self.header is not False

    @property
    def named(self) -> bool:
        """Tell whether a column is given by name."""
        return any(isinstance(column, str) for columns in self._sides().values() for column in columns)

    def fit(self, first: Sequence[str]) -> bool:
        """Tell whether a table whose first row this is can have these columns."""
        columns = [column for given in self._sides().values() for column in given]
        return all(column in first if isinstance(column, str) else column <= len(first) for column in columns)

    def places(self, path: str | Path, header: Sequence[str] | None) -> tuple[list[int], list[int]]:
        """The indices of the columns of sources, and of targets.

        Raises UserError at a name that the header lacks or has twice, and where a column is both, or twice in one.
        """
        if header is not None and self.titled(header):
            return [header.index("source")], [header.index("target")]
        source, target = (
            [_place(path, name, column, header) for column in columns] for name, columns in self._sides().items()
        )
        _check_apart([place + 1 for place in source], [place + 1 for place in target], f" of {path}")
        return source, target


def name_of(mark: str) -> str:
    """The delimiter as an option says it: by its name, if it has one."""
    return next((name for name, own in _NAMED.items() if own == mark), mark)


def _check_apart(source: Sequence[Column], target: Sequence[Column], of: str = "") -> None:
    """Check that no column is twice in a side, or in both. Raises UserError if not."""
    for name, columns in (("source", source), ("target", target)):
        for column in columns:
            if columns.count(column) > 1:
                raise UserError(f"{name} must have each column{of} once, but repeats {column!r}.")
    for column in target:
        if column in source:
            raise UserError(
                f"target must be another column{of} than source, but both have {column!r}: give both of them."
            )


def _place(path: str | Path, name: str, column: Column, header: Sequence[str] | None) -> int:
    if isinstance(column, int):
        return column - 1
    if header is None or column not in header:
        found = ", ".join(cell[:60] for cell in list(header or ())[:20])
        raise UserError(f"{name} must be a column of {path}, {found}, but is {column!r}.")
    places = [str(place) for place, title in enumerate(header, 1) if title == column]
    if len(places) > 1:
        raise UserError(
            f"{name} must name one column of {path}, but {column!r} is the name of columns {' and '.join(places)}: "
            "give a number."
        )
    return int(places[0]) - 1
