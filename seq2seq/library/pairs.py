"""Pairs as calls from Python give them: files, lists, tables, dictionaries, generators."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from seq2seq.data.corpora.pair_table import read_pairs
from seq2seq.data.example_store import Examples, group
from seq2seq.data.examples import Example
from seq2seq.data.given_series import as_array, as_series, numbers_as_array
from seq2seq.data.lost_digits import warn_of_lost_digits
from seq2seq.data.series import Series
from seq2seq.data.text import check_whole
from seq2seq.errors import UserError, shown
from seq2seq.library.chosen_columns import two_of
from seq2seq.library.row_advice import row_advice
from seq2seq.library.token_lists import warn_of_tokens

# A file, or (source, target) pairs, where a target may be a list of those that are right; a table with two columns.
Pairs: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Iterable[Any]


def is_path(pairs: Pairs) -> TypeGuard[str | os.PathLike[str]]:
    """Tell whether pairs are in a file, of which this is the path."""
    return isinstance(pairs, str | os.PathLike)


def examples_of(pairs: Pairs, name: str = "pairs", *, in_order: bool = False) -> Examples:
    """Examples of whatever holds pairs, one per distinct source, or per row in order.

    Raises UserError, by number, at what is none.
    """
    if in_order and not is_path(pairs):
        rows = _rows_of_texts(pairs, name)
        return Examples.of(Example(own[0][0], tuple(target for _, target in own)) for own in rows)
    return group(pairs_of(pairs, name), os.fspath(pairs) if is_path(pairs) else name)


def pairs_of(pairs: Pairs, name: str = "pairs") -> list[tuple[str, str]]:
    """Sources and targets in their order; a source with several targets comes once with each."""
    return read_pairs(os.fspath(pairs)) if is_path(pairs) else list(chain(*_rows_of_texts(pairs, name)))


def _rows_of_texts(pairs: Any, name: str) -> list[list[tuple[str, str]]]:
    """The pairs of each row: its source with one target, or with each of several."""
    found = [list(_texts(row, f"{name}[{number}]")) for number, row in enumerate(_rows(pairs, name))]
    lists = [[target for _, target in own] for own in found if len(own) > 1]
    if lists and isinstance(lists[0][0], str):
        warn_of_tokens(name, lists)
    warn_of_lost_digits(text for pair in chain(*found) for text in pair)
    if not found:
        raise UserError(f"{name} must hold pairs of a source and a target, but is empty.")
    return found


def documents_of(texts: Any) -> list[Example]:
    """Examples without a source, of texts. Raises UserError, by number, at what is none."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise UserError(f"texts must be several texts, in a list, but are of type {type(texts).__name__}.")
    texts = list(texts)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise UserError(f"texts[{number}] must be a text, but is {shown(text)}.")
        check_whole(text, f"texts[{number}]")
    if not any(text.strip() for text in texts):
        raise UserError("texts must hold a text that is not empty, but there is none.")
    return [Example("", (text,)) for text in texts]


def _rows(pairs: Any, name: str) -> Iterable[Any]:
    columns = getattr(pairs, "column_names", getattr(pairs, "columns", None))  # of a data set, of a data frame
    if columns is not None:
        if isinstance(columns, Mapping):  # of a DatasetDict, by split
            raise _splits_of(name, columns)
        return zip(*(list(pairs[column]) for column in two_of(list(columns), name)), strict=True)
    if isinstance(pairs, Mapping):
        return _rows_of_mapping(pairs, name)
    if not isinstance(pairs, Iterable) or isinstance(pairs, bytes):
        share = ": data__dev_size says how many are held out" if isinstance(pairs, int | float) else ""
        kind = type(pairs).__name__
        raise UserError(f"{name} must be pairs, a table or the path of a file, but is of type {kind}{share}.")
    return pairs


def _rows_of_mapping(pairs: Mapping[Any, Any], name: str) -> Iterable[Any]:
    """Pairs of a mapping from sources, or of one of columns, source and target."""
    if {"source", "target"} <= pairs.keys() and not any(isinstance(pairs[side], str) for side in ("source", "target")):
        sides = [list(pairs[side]) for side in ("source", "target")]
        if len(sides[0]) != len(sides[1]):
            raise UserError(
                f"{name} must have as many sources as targets, but has {len(sides[0])} and {len(sides[1])}."
            )
        return zip(*sides, strict=True)
    if (
        pairs
        and set(pairs) <= {"train", "dev", "validation", "valid", "test"}
        and not any(map(_are_texts, pairs.values()))
    ):
        raise _splits_of(name, pairs)
    return pairs.items()


def _splits_of(name: str, splits: Iterable[Any]) -> UserError:
    names = [str(split) for split in splits]
    return UserError(f"{name} must be one split, but is a dict of {', '.join(names)}: give [{names[0]!r}] of it.")


def _are_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(one, str) for one in value))


def _texts(row: Any, where: str) -> Iterator[tuple[str, str]]:
    """The pairs of a row: a source, and a target or several. Raises UserError if it is none."""
    if isinstance(row, Example):
        row = (row.source, row.targets)
    elif isinstance(row, Mapping) and {"source", "target"} <= row.keys():
        row = (row["source"], row["target"])
    elif _holds_texts(row):
        row = row.tolist()
    if isinstance(row, list | tuple) and len(row) == 2:
        source, targets = _source(row[0], where), _targets(row[1], where, of_frames=not isinstance(row[0], str))
        if isinstance(source, str) and targets and all(isinstance(text, str) for text in targets):
            for text in (source, *targets):
                check_whole(text, where)
            if not isinstance(source, Series) and any(isinstance(text, Series) for text in targets):
                raise UserError(f"{where} must have frames as its source, as its target is frames, but has a text.")
            yield from ((source, text) for text in targets)
            return
    if isinstance(as_array(row), np.ndarray):
        raise UserError(f"{where} must be a source and a target, but is one array: give {{'source': X, 'target': Y}}.")
    if isinstance(row, list | tuple) and len(row) == 2 and isinstance(as_series(row[0], where), Series):
        raise UserError(f"{where} must have a text, a number or an array as its target, but has {shown(row[1])}.")
    raise UserError(f"{where} must be a source and a target, two texts, but is {shown(row)}{row_advice(row)}.")


def _source(source: Any, where: str) -> Any:
    """A text as it is, frames as a series; a list of numbers, or of such lists, is an array of them."""
    found = as_series(numbers_as_array(source, where), where)
    held = as_array(found)
    if isinstance(held, np.ndarray) and held.ndim == 2 and not isinstance(found, Series):
        raise UserError(f"{where} must hold numbers, but holds others: make it numbers, as by astype(float).")
    return found


def _holds_texts(given: Any) -> bool:
    """Tell whether what is given is an array of texts, as a row of a table is, or a cell that was a list in a file."""
    return isinstance(given, np.ndarray) and given.ndim == 1 and all(isinstance(one, str) for one in given)


def _targets(target: Any, where: str, *, of_frames: bool) -> list[Any]:
    """Targets that are right, of which there can be several.

    Of a series, a whole number is a label, as its text, and another number is one frame to be written; an array of
    texts is a label for each frame.
    """
    if not of_frames and _holds_texts(target):
        return list(target.tolist())
    if not of_frames:
        return list(target) if isinstance(target, list | tuple) else [as_series(target, f"the target of {where}")]
    held = as_array(target)
    if isinstance(held, np.ndarray) and not held.ndim:
        held = target = held.item()
    if isinstance(held, np.ndarray) and held.dtype.kind in "UO" and all(isinstance(one, str) for one in held.flat):
        return [_labels(held.ravel().tolist(), where)]
    if isinstance(target, float | np.floating):
        target = np.array([[target]])
    targets = list(target) if isinstance(target, list | tuple) else [as_series(target, f"the target of {where}")]
    return [str(one) if isinstance(one, int | np.integer | np.bool_) else one for one in targets]


def _labels(labels: Sequence[str], where: str) -> str:
    """Labels of frames as one text. Raises UserError at one that would be none or several in it."""
    for number, label in enumerate(labels, 1):
        if len(label.split()) != 1:
            raise UserError(f"{where}, label {number} must be one word, but is {label!r}.")
    return " ".join(labels)
