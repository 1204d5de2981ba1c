"""Examples of a file that is given to a run: read as the run's own data were, where it is of their form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq.config.builder import build
from seq2seq.data.corpora.columns import Columns
from seq2seq.data.corpora.hub import DatasetsCorpus
from seq2seq.data.corpora.pair_table import sources_in
from seq2seq.data.corpora.tsv import TSVCorpus, read_tsv
from seq2seq.data.example_store import Examples

_TABLE, _ROWS = (f"{kind.__module__}.{kind.__qualname__}" for kind in (TSVCorpus, DatasetsCorpus))
_ENDINGS = {"json": (".json", ".jsonl"), "parquet": (".parquet",)}


def examples_of_file(config: Mapping[str, Any], file: str, *, in_order: bool = False) -> Examples:
    """Examples of a file of pairs: JSON lines and Parquet by the columns of a run that was trained on such, tables too.

    A table that has not the columns of the run's is one of a source and a target. Rows stay `in_order`, each by itself,
    where those of the run did, which was trained on such. Raises UserError where it is none.
    """
    data = config["data"]
    alike = data.get("in_order") is True
    if (rows := _rows(data, file, in_order=in_order or alike)) is not None:
        return rows
    alike = alike and data.get("_target_") == _TABLE
    return read_tsv(file, _columns(data), in_order=in_order or alike, perhaps=True)


def sources_of_file(config: Mapping[str, Any], file: str) -> list[str]:
    """Sources of the rows of a file of pairs, see `examples_of_file`; or of one with a source a line.

    A table of other columns than a run's has them in its first one.
    """
    if (rows := _rows(config["data"], file, in_order=True)) is not None:
        return [example.source for example in rows]
    return list(sources_in(file, _columns(config["data"])))


def _rows(data: Mapping[str, Any], file: str, *, in_order: bool) -> Examples | None:
    """Examples of JSON lines or Parquet, where a run was trained on such; None else."""
    if data.get("_target_") != _ROWS or not _is_of(file, str(data.get("name"))):
        return None
    found: Examples = build({**data, "train": file, "dev": None, "test": None, "in_order": in_order}, "data").read(file)
    return found


def _columns(data: Mapping[str, Any]) -> Columns | None:
    """The columns of the table that a run was trained on; None if it was none."""
    return build(data, "data").columns if data.get("_target_") == _TABLE else None


def _is_of(file: str, name: str) -> bool:
    """Tell whether a file is named as one of such a kind, packed or not."""
    return bool({suffix.lower() for suffix in Path(file).suffixes[-2:]} & {*_ENDINGS.get(name, ())})
