"""Series in Parquet files: a row is a frame, which names its series."""

from collections.abc import Iterator
from pathlib import Path

from seq2seq.data.corpora.csv_frames import CSVFrameCorpus, Row
from seq2seq.data.corpora.parquet_rows import told_as_parquet
from seq2seq.data.text_files import check_readable, seekable
from seq2seq.errors import UserError
from seq2seq.installed import is_installed


class ParquetFrameCorpus(CSVFrameCorpus):
    """A corpus of Parquet files with a row per frame and the columns of `CSVFrameCorpus`; null is a missing value.

    Row groups are read one by one. Raises UserError at a file that is no Parquet, and if pyarrow is not installed.
    """

    row = "row"

    def rows(self, path: str) -> Iterator[Row]:
        """Rows of a file with their numbers from 1, the names of the columns first."""
        if not is_installed("pyarrow"):
            raise UserError(f"{path} needs the library pyarrow: pip install -e '.[datasets]'.")
        import pyarrow.parquet as parquet  # which takes a while, and no other file needs it

        check_readable(Path(path))
        with told_as_parquet(path), parquet.ParquetFile(seekable(path)) as file:
            names = file.schema_arrow.names
            yield 0, names
            number = 0
            for part in file.iter_batches():
                columns = [part.column(place).to_pylist() for place in range(len(names))]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield number, cells
