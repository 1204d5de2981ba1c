"""JSON lines, Parquet and hub data sets, through the `datasets` library."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq.data.corpora.split_options import SplitOptions
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.data.text_files import check_readable
from seq2seq.errors import UserError

_AT_ONCE = 10_000  # rows


class DatasetsCorpus:
    """A corpus that `datasets.load_dataset` reads: `json` or `parquet` with files, or a data set on the hub by name.

    `source` and `target` are columns, given by path (`translation.de`). Splits are files, or names on the hub.
    Raises UserError if `datasets` is not installed.
    """

    def __init__(
        self,
        *,
        name: str,
        source: str,
        target: str,
        options: SplitOptions,
        configuration: str | None = None,
    ) -> None:
        if importlib.util.find_spec("datasets") is None:
            raise UserError(f"name={name} needs the library datasets: pip install -e '.[datasets]'.")
        self.name, self.configuration = name, configuration
        self.source, self.target = source, target
        self.options = options

    def load(self) -> Splits:
        """The splits, one example per row. Raises UserError at a split that is empty or cannot be read."""
        return self.options.load(self._read)

    def _read(self, split: str) -> Examples:
        rows = self._rows(split)
        sides = [_column(rows, path) for path in (self.source, self.target)]
        examples = Examples.of(Example(source or "", (target or "",)) for source, target in zip(*sides, strict=True))
        if not examples:
            raise UserError(f"{self.name}: {split} is empty: it must hold at least one row.")
        return examples

    def _rows(self, split: str) -> Any:
        import datasets  # pandas and pyarrow take seconds to import

        datasets.disable_progress_bars()
        if self.name not in ("json", "parquet"):
            try:
                return datasets.load_dataset(self.name, self.configuration, split=split)
            except (ConnectionError, FileNotFoundError, ValueError) as error:
                reason = str(error).splitlines()[0]
                raise UserError(f"name={self.name}, split {split} could not be loaded: {reason}") from None
        check_readable(Path(split))
        if not Path(split).is_file():
            raise UserError(f"{split} is a pipe, which cannot be read as {self.name}: write it to a file first.")
        if not Path(split).stat().st_size:
            raise UserError(f"The data file {split} is empty: it must hold at least one row.")
        try:
            return datasets.load_dataset(self.name, data_files=split, split="train")
        except (datasets.exceptions.DatasetGenerationError, ValueError) as error:
            raise UserError(f"{split} could not be read as {self.name}: {error.__cause__ or error}") from None


def _column(rows: Any, path: str) -> Iterator[str | None]:
    """The values at a dotted path, one per row. Raises UserError if there is no such column, or one holds no text."""
    first, *rest = path.split(".")
    if first not in rows.column_names:
        raise UserError(f"The column {first!r} of {path!r} does not exist: there are {', '.join(rows.column_names)}.")
    for start in range(0, len(rows), _AT_ONCE):
        for row, found in enumerate(rows[start : start + _AT_ONCE][first], start + 1):
            value = found
            for name in rest:
                if not isinstance(value, dict) or name not in value:
                    raise UserError(f"The column path {path!r} has no {name!r} in every row.")
                value = value[name]
            if value is not None and not isinstance(value, str):
                raise UserError(f"The column {path!r} must hold text, but row {row} holds {value!r}.")
            yield value
