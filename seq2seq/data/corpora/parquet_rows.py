"""Rows of Parquet files, read by columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from seq2seq.errors import UserError


class ParquetRows:
    """Rows of a Parquet file, of which only the columns that are asked for are read, a few thousand rows at a time.

    Raises UserError at a file that is no Parquet, or has no rows.
    """

    def __init__(self, path: str) -> None:
        import pyarrow.parquet as parquet  # which takes a while, and no other file needs it

        self._path = path
        with told_as_parquet(path), parquet.ParquetFile(path) as file:
            self._names: list[str] = file.schema_arrow.names
            self.columns = {field.name: _inner(field.type) for field in file.schema_arrow}
            size = file.metadata.num_rows
        if not size:
            raise UserError(f"The data file {path} is empty: it must hold at least one row.")

    def cells(self, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """The cells of some columns, row by row. Raises UserError where a column is there twice, or cannot be read."""
        import pyarrow.parquet as parquet

        for name in names:
            if (count := self._names.count(name)) > 1:
                raise UserError(f"{self._path} must have one column {name!r}, but has {count}: take out the others.")
        with told_as_parquet(self._path), parquet.ParquetFile(self._path) as file:
            for part in file.iter_batches(columns=[*dict.fromkeys(names)]):
                yield from zip(*(part.column(name).to_pylist() for name in names), strict=True)


def _inner(kind: Any) -> list[str]:
    """Names of the columns that a column of some kind holds."""
    from pyarrow import types

    return [field.name for field in kind] if types.is_struct(kind) else []


@contextmanager
def told_as_parquet(path: str) -> Iterator[None]:
    """Tell what is wrong with a file in one line, for as long as the context is open."""
    from pyarrow import ArrowException

    try:
        yield
    except UserError:
        raise
    except (ArrowException, OSError, ValueError) as error:  # of what is packed wrongly, and of texts that are no UTF-8
        raise UserError(f"{path} cannot be read as Parquet: {' '.join(str(error).split())[:120]}") from None
