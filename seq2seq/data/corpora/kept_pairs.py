"""Pairs in files of JSON lines, each a source and all of its targets: what calls from Python keep in a run folder."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeGuard

from seq2seq.data.corpora.split_options import SplitOptions
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.whole_file import write_whole


class KeptPairsCorpus:
    """A corpus of files with a line `{"source": "...", "targets": ["...", ...]}` for every example."""

    def __init__(self, *, options: SplitOptions) -> None:
        self.options = options

    def load(self) -> Splits:
        """The splits. Raises UserError at a line that is no example."""
        return self.options.load(read_kept_pairs)


def keep_pairs(path: Path, examples: Iterable[Example]) -> None:
    """Write the examples, one a line."""
    examples = list(examples)
    if any(isinstance(example.source, Series) for example in examples):
        raise UserError("pairs with frames must come from a file: numpy.savez them, then data='npz', data__train=path.")
    lines = (
        strict_json({"source": example.source, "targets": example.targets}, ensure_ascii=False) for example in examples
    )
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def read_kept_pairs(path: str) -> Examples:
    """The examples of a file. Raises UserError at a line that is none."""
    return Examples.of(_example(path, number, line) for number, line in enumerate(lines_of_file(path), 1))


def _example(path: str, number: int, line: str) -> Example:
    try:
        found = json.loads(line)
        source, targets = found["source"], found["targets"]
    except (ValueError, RecursionError, TypeError, KeyError):
        source, targets = None, None
    if not isinstance(source, str) or not _are_texts(targets):
        raise UserError(
            f'{path}, line {number} must be {{"source": "...", "targets": ["...", ...]}}, but is {line[:80]!r}.'
        )
    return Example(source, tuple(targets))


def _are_texts(targets: Any) -> TypeGuard[list[str]]:
    return isinstance(targets, list) and bool(targets) and all(isinstance(target, str) for target in targets)
