"""Objects of JSON that know which of their keys came more than once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.errors import UserError


class _Repeating(dict[str, Any]):
    """An object with keys that come more than once, of which it holds the last value, and these keys."""

    repeated: set[str]


def with_repeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object with the last value of every key, which knows of those that repeat: a hook for `json`."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    repeating = _Repeating(found)
    repeating.repeated = {name for name in found if names.count(name) > 1}
    return repeating


def read_object(text: str) -> Any:
    """Value that a text of JSON holds. Raises ValueError or RecursionError at none, and beyond Python's limits."""
    return json.loads(text, object_pairs_hook=with_repeated)


def check_once(where: str, found: Mapping[str, Any], name: str) -> None:
    """Check that a key comes once. Raises UserError, by where it is from, if it repeats."""
    if isinstance(found, _Repeating) and name in found.repeated:
        raise UserError(f"{where} must have {name!r} once, but it comes twice: take one out.")
