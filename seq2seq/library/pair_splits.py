"""Splits of data as calls of training give them: files that stay where they are, pairs that are kept in the run."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any

from seq2seq.data.corpora.hub import DatasetsCorpus
from seq2seq.data.corpora.kept_pairs import check_sources, keep_pairs, keep_series
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example
from seq2seq.data.series import Series
from seq2seq.errors import UserError
from seq2seq.library.pairs import Pairs, examples_of, is_path
from seq2seq.runs.own_files import GIVEN


class _Omitted(tuple[()]):
    """Pairs that a call leaves out, which is not None."""


OMITTED: Pairs = _Omitted()
_KINDS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}
_SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class PairSplits:
    """Splits of a call: keywords that tell training where they are, and those that are to be kept in the run folder."""

    keywords: dict[str, Any]
    kept: dict[str, Examples] = field(default_factory=dict)

    @classmethod
    def of(cls, train: Pairs, dev: Pairs | None, test: Pairs | None) -> "PairSplits":
        """The splits that are given. Files stay where they are. Raises UserError at what is no pairs."""
        given = {name: split for name, split in zip(_SPLITS, (train, dev, test), strict=True) if split is not None}
        files = {name: Path(split) for name, split in given.items() if is_path(split)}
        if len(files) == len(given):
            return cls(_of_files(files))
        kept = {name: _examples_of(split, "pairs" if name == "train" else name) for name, split in given.items()}
        check_sources([example for examples in kept.values() for example in examples])
        names = {f"data.{name}": str(_place(Path(), name, examples)) for name, examples in kept.items()}
        return cls({**_choices(kept["train"][0]), **names}, kept)

    @contextmanager
    def in_folder(self, folder: Path, config: dict[str, Any]) -> Iterator[None]:
        """Keep the splits in a run folder, where the config then has them; not where training fails at once."""
        if self.kept:
            (folder / GIVEN).mkdir(exist_ok=True)
        for name, examples in self.kept.items():
            path = _place(folder.absolute(), name, examples)
            (keep_series if _is_series(examples[0]) else keep_pairs)(path, examples)
            config["data"][name] = str(path)
        try:
            yield
        except BaseException:
            if self.kept and not (folder / "config.yaml").exists():
                rmtree(folder / GIVEN, ignore_errors=True)
            raise


def _examples_of(split: Pairs, name: str) -> Examples:
    """The examples of a split; a file beside pairs in memory is read as its kind is alone."""
    if not is_path(split) or (kind := _KINDS.get(Path(split).suffix.lower())) is None:
        return examples_of(split, name)
    corpus = DatasetsCorpus(name=kind, source="source", target="target", options=FileOptions(""))
    return corpus.read(os.fspath(split))


def _of_files(files: Mapping[str, Path]) -> dict[str, Any]:
    kinds = {_KINDS.get(path.suffix.lower(), "tsv") for path in files.values()}
    if len(kinds) > 1:
        raise UserError(f"train, dev and test must be files of one kind, but are {', '.join(sorted(kinds))}.")
    return {"data": kinds.pop(), **{f"data.{name}": str(path) for name, path in files.items()}}


def _choices(example: Example) -> dict[str, Any]:
    """Keywords of training that suit pairs like this one."""
    if not _is_series(example):
        return {"data": "pairs", "task": "pairs"}
    if isinstance(example.targets[0], Series):
        return {"experiment": "forecast", "data": "npz"}
    return {"data": "npz", "task": "series", "model": "luong", "model/input": "frames"}


def _is_series(example: Example) -> bool:
    return isinstance(example.source, Series)


def _place(folder: Path, name: str, examples: Examples) -> Path:
    return folder / GIVEN / f"{name}.{'npz' if _is_series(examples[0]) else 'jsonl'}"
