"""JSON lines, Parquet and hub data sets, through the `datasets` library."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from seq2seq.data.corpora.split_options import SplitOptions
from seq2seq.data.corpora.written_rows import WrittenRows, has_mixtures, has_moments, is_list
from seq2seq.data.example_store import Examples, of_rows
from seq2seq.data.examples import Splits
from seq2seq.data.text_files import check_readable
from seq2seq.errors import UserError, shown
from seq2seq.installed import is_installed

_AT_ONCE = 10_000  # rows
_SHOWN = 12  # columns


class DatasetsCorpus:
    """A corpus that `datasets.load_dataset` reads: `json` or `parquet` with files, or a data set on the hub by name.

    `source` and `target` are columns, given by path (`translation.de`). Splits are files, or names on the hub. Rows
    with the same source are several references of one example, unless they are wanted `in_order`; see `TSVCorpus`.
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
        in_order: bool = False,
    ) -> None:
        if not is_installed("datasets"):
            raise UserError(f"name={name} needs the library datasets: pip install -e '.[datasets]'.")
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
        rows = self._rows(split)
        sides = [_column(rows, name, getattr(self, name), split) for name in ("source", "target")]
        pairs = ((source or "", target or "") for source, target in zip(*sides, strict=True))
        examples = of_rows(pairs, split, in_order=self.in_order)
        if not examples:
            raise UserError(f"{self.name}: {split} is empty: it must hold at least one row.")
        return examples

    def _rows(self, split: str) -> Any:
        import datasets  # pandas and pyarrow take seconds to import

        datasets.disable_progress_bars()
        datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what it complains of is told in one line, by us
        if self.name not in ("json", "parquet"):
            try:
                return datasets.load_dataset(self.name, self.configuration, split=split)
            except (ConnectionError, FileNotFoundError, ValueError) as error:
                reason = _first_line(error)
                raise UserError(f"name={self.name}, split {split} could not be loaded: {reason}") from None
        return self._of_file(split)

    def _of_file(self, path: str) -> Any:
        import datasets

        check_readable(Path(path))
        if not Path(path).is_file():
            raise UserError(f"{path} is a pipe, which cannot be read as {self.name}: write it to a file first.")
        if not Path(path).stat().st_size:
            raise UserError(f"The data file {path} is empty: it must hold at least one row.")
        written = partial(WrittenRows, path, (self.source, self.target))
        if self.name == "json" and is_list(path):  # of which the library drops half characters and keys that repeat
            return written()
        try:
            rows = datasets.load_dataset(self.name, data_files=path, split="train")
        except (datasets.exceptions.DatasetGenerationError, ValueError) as error:
            if self.name == "json":
                return written()
            reason = _first_line(error.__cause__ or error)
            if "BatchSize" in reason:  # of tables without rows
                raise UserError(f"The data file {path} is empty: it must hold at least one row.") from None
            raise UserError(f"{path} could not be read as {self.name}: {reason}") from None
        # It takes texts such as 1979-05-03 for moments, and then no other text for one.
        freely = has_moments(rows.features) or has_mixtures(rows.features)
        return written() if self.name == "json" and freely else rows


def _first_line(error: BaseException) -> str:
    """The first line of what an error says; its kind where that is nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _column(rows: Any, side: str, path: str, split: str) -> Iterator[str | None]:
    """The values at a dotted path, one per row. Raises UserError if there is no such column, or one holds no text."""
    first, *rest = path.split(".")
    if first not in rows.column_names:
        raise UserError(f"{side} must be a column of {split}, which has {_paths(rows)}, but is {path!r}.")
    for start in range(0, len(rows), _AT_ONCE):
        for row, cell in enumerate(rows[start : start + _AT_ONCE][first], start + 1):
            value = cell
            for name in rest:
                if not isinstance(value, dict) or name not in value:
                    raise UserError(
                        f"{side} must be a column of every row of {split}, but {path!r} has no {name!r} in row {row}."
                    )
                value = value[name]
            if value is not None and not isinstance(value, str):
                paths = [f"{path}.{name}" for name in value] if isinstance(value, dict) else []
                advice = f"choose {' or '.join(paths)}" if paths else "choose another column, or write it as one text"
                found = f"{path!r} of {split} holds {shown(value)} in row {row}"
                raise UserError(f"{side} must be a column of text, but {found}: {advice}.")
            yield value


def _paths(rows: Any) -> str:
    """The columns of a table, those in others by path, as many as one reads."""
    found: list[str] = []
    for name, kind in rows.features.items():
        found += [f"{name}.{inner}" for inner in kind] if isinstance(kind, dict) else [name]
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
