"""JSON lines, Parquet files, and data sets on the hub through the `datasets` library."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.data.corpora.column_path import first_of
from seq2seq.data.corpora.parquet_rows import ParquetRows
from seq2seq.data.corpora.split_options import SplitOptions
from seq2seq.data.corpora.written_rows import WrittenRows
from seq2seq.data.example_store import Examples, of_rows
from seq2seq.data.examples import Splits
from seq2seq.data.text_files import check_readable
from seq2seq.errors import UserError, shown
from seq2seq.installed import is_installed

_LIBRARIES = {"json": None, "parquet": "pyarrow"}  # of kinds of files
_AT_ONCE = 10_000  # rows
_SHOWN = 12  # columns


class DatasetsCorpus:
    """A corpus of rows with columns: `json` or `parquet` with files, or a data set on the hub by name.

    `source` and `target` are columns, given by path (`translation.de`), whose names may hold dots. Splits are files,
    or names on the hub. Rows with the same source are several references of one example, unless they are wanted
    `in_order`; see `TSVCorpus`.
    Raises UserError if the library that reads them is not installed.
    """

    def __init__(
        self,
        *,
        name: str,
        source: str,
        target: str,
        options: SplitOptions,
        configuration: str | None = None,
        in_order: bool = False,
    ) -> None:
        if not name.strip():
            example = "give one, for example bentrevett/multi30k"
            raise UserError(f"name must be that of a data set on the hub, but is {name!r}: {example}.")
        library = _LIBRARIES.get(name, "datasets")
        if library and not is_installed(library):
            raise UserError(f"name={name} needs the library {library}: pip install -e '.[datasets]'.")
        self.name, self.configuration = name, configuration
        self.source, self.target = source, target
        self.options, self.in_order = options, in_order

    def load(self) -> Splits:
        """The splits, an example per distinct source, or per row in order.

        Raises UserError at a split that is empty or cannot be read.
        """
        return self.options.load(self.read)

    def read(self, split: str) -> Examples:
        """Examples of a split, a file or a name on the hub. Raises UserError if it is empty or cannot be read."""
        examples = of_rows(self._pairs(split), split, in_order=self.in_order)
        if not examples:
            raise UserError(f"{self.name}: {split} is empty: it must hold at least one row.")
        return examples

    def _pairs(self, split: str) -> Iterator[tuple[str, str]]:
        rows = _of_hub(self.name, self.configuration, split) if self.name not in _LIBRARIES else self._of_file(split)
        columns = [_Column.of(side, getattr(self, side), split, rows.columns) for side in ("source", "target")]
        for number, cells in enumerate(rows.cells([column.name for column in columns]), 1):
            source, target = (column.text(cell, number) for column, cell in zip(columns, cells, strict=True))
            yield source or "", target or ""

    def _of_file(self, path: str) -> ParquetRows | WrittenRows:
        check_readable(Path(path))
        if not Path(path).is_file():
            raise UserError(f"{path} is a pipe, which cannot be read as {self.name}: write it to a file first.")
        if not Path(path).stat().st_size:
            raise UserError(f"The data file {path} is empty: it must hold at least one row.")
        return ParquetRows(path) if self.name == "parquet" else WrittenRows(path, (self.source, self.target))


class _HubRows:
    """Rows of a data set of the library `datasets`."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.columns = {name: [*kind] if isinstance(kind, dict) else [] for name, kind in rows.features.items()}

    def cells(self, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """The cells of some columns, row by row."""
        rows = self._rows.select_columns([*dict.fromkeys(names)])  # others may hold what needs a library to be read
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            yield from zip(*(part[name] for name in names), strict=True)


def _of_hub(name: str, configuration: str | None, split: str) -> _HubRows:
    """The rows of a split on the hub. Raises UserError where it cannot be loaded."""
    import datasets  # pandas and pyarrow take seconds to import

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what it complains of is told in one line, by us
    try:
        return _HubRows(datasets.load_dataset(name, configuration, split=split))
    except (OSError, ValueError, RuntimeError, LookupError, ImportError, datasets.exceptions.DatasetsError) as error:
        of_file = isinstance(error, datasets.exceptions.DatasetGenerationError)  # whose cause says what is wrong
        reason = _first_line((of_file and error.__cause__) or error)
        raise UserError(f"name={name}, split {split} could not be loaded: {reason}") from None


def _first_line(error: BaseException) -> str:
    """The first line of what an error says; its kind where that is nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


class _Column(NamedTuple):
    """Column for a side of the pairs: its path in a split, the name that this begins with, and what is left of it."""

    side: str
    path: str
    split: str
    name: str
    rest: str

    @classmethod
    def of(cls, side: str, path: str, split: str, columns: Mapping[str, Iterable[str]]) -> "_Column":
        """The column at a path. Raises UserError if there is no such column."""
        if (found := first_of(path, columns)) is None:
            raise UserError(f"{side} must be a column of {split}, which has {_paths(columns)}, but is {path!r}.")
        return cls(side, path, split, *found)

    def text(self, cell: Any, row: int) -> str | None:
        """The text in the cell of a row. Raises UserError where there is none."""
        value, rest = cell, self.rest
        while rest:
            found = first_of(rest, value) if isinstance(value, dict) else None
            if found is None:
                missing = f"{self.path!r} has no {rest.partition('.')[0]!r} in row {row}"
                raise UserError(f"{self.side} must be a column of every row of {self.split}, but {missing}.")
            value, rest = value[found[0]], found[1]
        if value is not None and not isinstance(value, str):
            paths = [f"{self.path}.{name}" for name in value] if isinstance(value, dict) else []
            advice = f"choose {' or '.join(paths)}" if paths else "choose another column, or write it as one text"
            found_there = f"{self.path!r} of {self.split} holds {shown(value)} in row {row}"
            raise UserError(f"{self.side} must be a column of text, but {found_there}: {advice}.")
        return value


def _paths(columns: Mapping[str, Iterable[str]]) -> str:
    """The columns of a table, those in others by path, as many as one reads."""
    found: list[str] = []
    for name, inner in columns.items():
        found += [f"{name}.{own}" for own in inner] or [name]
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
