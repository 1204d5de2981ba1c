"""Rows of JSON as they are written, without guesses at what a text may mean."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from seq2seq.data.text import check_whole
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError, shown


class WrittenRows:
    """Rows of a file of JSON lines, or of one list, as a data set of the library `datasets` offers its own.

    Raises UserError at a line, or an entry of the list, that is no JSON object, and where one of the `columns` that are
    read, given by path, has a key twice or a text that is no UTF-8; what others hold is nobody's matter.
    """

    def __init__(self, path: str, columns: Sequence[str]) -> None:
        self._rows: list[dict[str, Any]] = []
        self.features: dict[str, Any] = {}  # of the first row that has each
        for where, row in _rows(path):
            for column in columns:
                _check(where, row, column)
            self._rows.append(row)
            for name, value in row.items():
                self.features.setdefault(name, value)

    @property
    def column_names(self) -> list[str]:
        """Names of all columns that some row has."""
        return [*self.features]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: slice) -> dict[str, list[Any]]:
        return {name: [row.get(name) for row in self._rows[place]] for name in self.features}


class _Repeating(dict[str, Any]):
    """An object with keys that come more than once, of which it holds the last value, and these keys."""

    repeated: set[str]


def is_list(path: str) -> bool:
    """Tell whether a file of JSON is one list, and not a row a line."""
    return _begins_list(lines_of_file(path))


def _begins_list(lines: Iterable[str]) -> bool:
    return next((line for line in lines if line.strip()), "").lstrip().startswith("[")


def _rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows behind their places."""
    lines = list(lines_of_file(path))
    if _begins_list(lines):
        for number, row in enumerate(_read(path, "\n".join(lines)), 1):
            yield _object(f"{path}, entry {number}", row)
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _object(where := f"{path}, line {number}", _read(where, line))


def _read(where: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repeated_keys)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("line 1 ", "")
        raise UserError(f"{where} must be a JSON object, but cannot be read: {reason}.") from None


def _without_repeated_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object with the last value of every key, which knows of those that repeat."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    repeating = _Repeating(found)
    repeating.repeated = {name for name in found if names.count(name) > 1}
    return repeating


def _object(where: str, found: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(found, dict):
        raise UserError(f"{where} must be a JSON object, but is {shown(found)}.")
    return where, found


def _check(where: str, row: dict[str, Any], column: str) -> None:
    """Check what a row has in a column. Raises UserError at a key on the way that repeats, and at half a character."""
    value: Any = row
    for name in column.split("."):
        if isinstance(value, _Repeating) and name in value.repeated:
            raise UserError(f"{where} must have {name!r} once, but it comes twice: take one out.")
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, str):
        check_whole(value, where)


def has_moments(features: Any) -> bool:
    """Tell whether a column, or one in another, was taken for moments."""
    if isinstance(features, dict):
        return any(map(has_moments, features.values()))
    return any(word in str(getattr(features, "dtype", "")) for word in ("timestamp", "date", "time", "duration"))


def has_mixtures(features: Any) -> bool:
    """Tell whether a column has values of several kinds, for which a file is read as freely as a list is."""
    return "Json(" in str(features)
