"""Examples of a file that is given to a run: read as the run's own data were, where it is of their form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq.config.builder import build
from seq2seq.data.corpora.hub import DatasetsCorpus
from seq2seq.data.corpora.tsv import TSVCorpus, read_tsv
from seq2seq.data.example_store import Examples

_TABLE, _ROWS = (f"{kind.__module__}.{kind.__qualname__}" for kind in (TSVCorpus, DatasetsCorpus))
_ENDINGS = {"json": (".json", ".jsonl"), "parquet": (".parquet",)}


def examples_of_file(config: Mapping[str, Any], file: str, *, in_order: bool = False) -> Examples:
    """Examples of a file of pairs: JSON lines and Parquet by the columns of a run that was trained on such, tables too.

    A table that has not the columns of the run's is one of a source and a target. Raises UserError where it is none.
    """
    data = config["data"]
    if data.get("_target_") == _ROWS and _is_of(file, str(data.get("name"))):
        return build({**data, "train": file, "dev": None, "test": None}, "data").read(file)
    columns = build(data, "data").columns if data.get("_target_") == _TABLE else None
    return read_tsv(file, columns, in_order=in_order, perhaps=True)


def _is_of(file: str, name: str) -> bool:
    """Tell whether a file is named as one of such a kind, packed or not."""
    return bool({suffix.lower() for suffix in Path(file).suffixes[-2:]} & {*_ENDINGS.get(name, ())})
