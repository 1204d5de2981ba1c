"""Pairs, a line each, as they come out of a stream."""

import json

from seq2seq.data.text import encodable
from seq2seq.errors import UserError


def pair_of_columns(text: str, number: int) -> tuple[str, str]:
    """The source and the target of a line, with a tab between. Raises UserError, with the line's number, if not."""
    columns = text.split("\t")
    if len(columns) != 2:
        raise UserError(f"line {number} must be source<TAB>target, but has {len(columns) - 1} tabs.")
    return columns[0], columns[1]


def pair_of_object(text: str, number: int) -> tuple[str, str]:
    """The source and the target of a line that is a JSON object. Raises UserError, with the line's number, if not."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:  # also at numbers and nests beyond Python's limits
        raise UserError(f"line {number} must be a JSON object, but cannot be read: {error}.") from None
    if not isinstance(found, dict) or not all(isinstance(found.get(side), str) for side in ("source", "target")):
        raise UserError(f"line {number} must be a JSON object with the texts source and target, but is {text[:80]}")
    return encodable(found["source"]), encodable(found["target"])


READERS = {"tsv": pair_of_columns, "json": pair_of_object}
