"""Rows of JSON as they are written, without guesses at what a text may mean."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from seq2seq.data.corpora.column_path import beginnings, first_of
from seq2seq.data.json_object import check_once, read_object, with_repeated
from seq2seq.data.text import check_whole
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError, shown

_FILLED = re.compile(r"\S")


class WrittenRows:
    """Rows of a file of JSON lines, or of one list, of which only the columns at some `paths` are kept.

    Raises UserError at a line, or an entry of the list, that is no JSON object, and where one of these columns has a
    key twice or a text that is no UTF-8; what others hold is nobody's matter.
    """

    def __init__(self, path: str, paths: Sequence[str]) -> None:
        self._rows: list[dict[str, Any]] = []
        self.columns: dict[str, dict[str, None]] = {}  # that some row has, with those in each
        kept = {name for column in paths for name in beginnings(column)}
        for where, row in _rows(path):
            for column in paths:
                _check(where, row, column)
            for name, value in row.items():
                inner = self.columns.setdefault(name, {})
                if isinstance(value, dict):
                    inner.update(dict.fromkeys(value))
            self._rows.append({name: row[name] for name in kept if name in row})

    def cells(self, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """The cells of some columns, row by row; None where a row has none."""
        return ([row.get(name) for name in names] for row in self._rows)


def _rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows behind their places."""
    lines = ((number, line) for number, line in enumerate(lines_of_file(path), 1) if line.strip())
    first = next(lines)
    if first[1].lstrip().startswith("["):
        entries = _read(path, "\n".join(lines_of_file(path)))
    elif (entries := _spread(path, first[1])) is None:
        for number, line in chain([first], lines):
            yield _object(where := f"{path}, line {number}", _read(where, line))
        return
    for number, row in enumerate(entries, 1):
        yield _object(f"{path}, entry {number}", row)


def _spread(path: str, first: str) -> list[Any] | None:
    """The objects of a file that are written over several lines each, as jq does; None where they are not."""
    if not first.lstrip().startswith("{") or first.rstrip().endswith("}"):
        return None
    text, found = "\n".join(lines_of_file(path)), []
    decoder = json.JSONDecoder(object_pairs_hook=with_repeated)
    try:
        end = 0
        while filled := _FILLED.search(text, end):
            entry, end = decoder.raw_decode(text, filled.start())
            found.append(entry)
    except (ValueError, RecursionError):
        return None
    return found


def _read(where: str, text: str) -> Any:
    try:
        return read_object(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("line 1 ", "")
        raise UserError(f"{where} must be a JSON object, but cannot be read: {reason}.") from None


def _object(where: str, found: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(found, dict):
        raise UserError(f"{where} must be a JSON object, but is {shown(found)}.")
    return where, found


def _check(where: str, row: dict[str, Any], path: str) -> None:
    """Check what a row has at a path. Raises UserError at a key on the way that repeats, and at half a character."""
    value: Any = row
    while path and isinstance(value, dict) and (step := first_of(path, value)):
        name, path = step
        check_once(where, value, name)
        value = value[name]
    if not path and isinstance(value, str):
        check_whole(value, where)
