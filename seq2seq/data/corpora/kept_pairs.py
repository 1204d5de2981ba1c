"""Pairs in files of JSON lines, each a source and all of its targets: what calls from Python keep in a run folder."""

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

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
    lines = (
        strict_json({"source": example.source, "targets": example.targets}, ensure_ascii=False) for example in examples
    )
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def check_sources(examples: Iterable[Example]) -> None:
    """Raise UserError where some sources are series and others are text."""
    _are_series([example.source for example in examples], "sources")


def keep_series(path: Path, examples: Iterable[Example]) -> None:
    """Write examples whose sources are series to a file as `NpzCorpus` reads it, a row for each target.

    Raises UserError where a source is none, and where some targets or times are there and others are not.
    """
    rows = [(example.source, target) for example in examples for target in example.targets]
    sources, targets = ([row[side] for row in rows] for side in (0, 1))
    if not _are_series(sources, "sources"):
        raise UserError("pairs must have sources that are frames to be kept as arrays, but they are text.")
    arrays: dict[str, Any] = _flat(sources, "frames", "lengths") | _times(sources)
    if _are_series(targets, "targets"):
        arrays |= _flat(targets, "targets", "target_lengths")
    else:
        arrays["targets"] = np.array(targets)
    held = io.BytesIO()
    np.savez(held, **arrays)
    write_whole(path, held.getvalue())


def _are_series(texts: Sequence[str], side: str) -> bool:
    kinds = {isinstance(text, Series) for text in texts}
    if len(kinds) > 1:
        raise UserError(f"pairs must have {side} of one kind, but some are frames and some are text.")
    return kinds == {True}


def _flat(texts: Sequence[str], frames: str, lengths: str) -> dict[str, np.ndarray]:
    """Arrays of series one behind the other, and of their lengths. Raises UserError at unlike numbers of features."""
    values = [text.values for text in texts if isinstance(text, Series)]
    for text, own in zip(texts, values, strict=True):
        if own.shape[1] != values[0].shape[1]:
            raise UserError(
                f"{getattr(text, 'place', '')} must have {values[0].shape[1]} features, as the first, but has "
                f"{own.shape[1]}."
            )
    return {frames: np.concatenate(values), lengths: np.array([len(own) for own in values])}


def _times(sources: Sequence[str]) -> dict[str, np.ndarray]:
    """The times of series one behind the other, if they have any. Raises UserError where one has none."""
    series = [source for source in sources if isinstance(source, Series)]
    found = [one.times for one in series if one.times is not None]
    if found and len(found) < len(series):
        place = next(one.place for one in series if one.times is None)
        raise UserError(f"{place} must have times, as other series have, but has none: give each some, or none any.")
    return {"times": np.concatenate(found)} if found else {}


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
