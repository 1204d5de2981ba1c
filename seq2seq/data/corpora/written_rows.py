"""Rows of JSON as they are written, without guesses at what a text may mean."""

import json
from collections.abc import Sequence
from typing import Any

from seq2seq.data.text import check_whole
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError, shown
from seq2seq.finite import strict_json


class WrittenRows:
    """Rows of a file of JSON lines, or of one list, as a data set of the library `datasets` offers its own.

    Raises UserError at a line, or an entry of the list, that is no JSON object.
    """

    def __init__(self, path: str) -> None:
        self._rows = _rows(path)
        self.features: dict[str, Any] = {}  # of the first row that has each
        for row in self._rows:
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


def _rows(path: str) -> list[dict[str, Any]]:
    lines = list(lines_of_file(path))
    if "".join(lines[:1]).lstrip().startswith("["):
        return [_object(f"{path}, entry {number}", row) for number, row in enumerate(_read(path, "\n".join(lines)), 1)]
    return [
        _object(f"{path}, line {number}", _read(f"{path}, line {number}", line))
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _read(where: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unlike)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("line 1 ", "")
        raise UserError(f"{where} must be a JSON object, but cannot be read: {reason}.") from None


def _unlike(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of keys that are not alike. Raises ValueError where one comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in found if names.count(name) > 1)!r} comes twice")
    return found


def _object(where: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise UserError(f"{where} must be a JSON object, but is {shown(found)}.")
    check_whole(strict_json(found, ensure_ascii=False), where)
    return found


def has_moments(features: Any) -> bool:
    """Tell whether a column, or one in another, was taken for moments."""
    if isinstance(features, dict):
        return any(map(has_moments, features.values()))
    return any(word in str(getattr(features, "dtype", "")) for word in ("timestamp", "date", "time", "duration"))
