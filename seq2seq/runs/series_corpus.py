"""Files of series that a run is to read."""

from pathlib import Path
from typing import Any

from seq2seq.config.builder import build
from seq2seq.config.closed_table import find
from seq2seq.data.corpora.csv_frames import CSVFrameCorpus
from seq2seq.data.corpora.frame_files import FrameCorpus, NpzCorpus
from seq2seq.data.corpora.parquet_frames import ParquetFrameCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.corpora.ts import TsCorpus
from seq2seq.errors import UserError

_TABLES = {".csv": CSVFrameCorpus, ".parquet": ParquetFrameCorpus}
_COLUMNS = ("series", "time", "target", "features", "horizon", "days", "unnamed")
_OF_NUMBERS = (NpzCorpus, CSVFrameCorpus, TsCorpus)


def corpus_of(config: dict[str, Any], path: str) -> FrameCorpus:
    """The corpus that reads a file of series by its ending, with the columns of a run's data where it is a table.

    Another kind of file is read as the run's own data are, and so is any of a run whose data are no files of numbers:
    their tables may have such an ending, too. Raises UserError where these are no files of series.
    """
    suffix, data = Path(path).suffix.lower(), config["data"]
    kind = find(data.get("_target_"), "data")
    if isinstance(kind, type) and issubclass(kind, _OF_NUMBERS):
        if suffix == ".npz":
            return NpzCorpus(options=FileOptions(path), horizon=data.get("horizon"))
        if suffix in _TABLES:
            return _TABLES[suffix](options=FileOptions(path), **{name: data[name] for name in _COLUMNS if name in data})
    corpus = build(data, "data")
    if not isinstance(corpus, FrameCorpus):
        raise UserError(f"file must be .npz, .csv or .parquet, but is {path}.")
    return corpus
