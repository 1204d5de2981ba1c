"""Pairs, a line each, as they come out of a stream."""

from seq2seq.data.json_object import check_once, read_object
from seq2seq.data.text import encodable
from seq2seq.errors import UserError

BARS = " ||| "  # between columns, of word aligners and in lists of the n best


def pair_of_columns(text: str, number: int) -> tuple[str, str]:
    """The source and the target of a line, with a tab between. Raises UserError, with the line's number, if not."""
    columns = text.split("\t")
    if len(columns) != 2:
        raise UserError(f"line {number} must be source<TAB>target, but has {len(columns) - 1} tabs{_advice(text)}.")
    return columns[0], columns[1]


def _advice(text: str) -> str:
    """Advice on columns as word aligners, and lists of the n best, have them."""
    if "\t" in text or BARS not in text:
        return ""
    if text.count(BARS) == 1:
        return f": put one in the place of {BARS!r}, for example with sed 's/{BARS}/\\t/'"
    return f": of a list of the n best, with {BARS!r} between columns, write the source, a tab and one text"


def pair_of_object(text: str, number: int) -> tuple[str, str]:
    """The source and the target of a line that is a JSON object. Raises UserError, with the line's number, if not."""
    try:
        found = read_object(text)
    except (ValueError, RecursionError) as error:  # also at numbers and nests beyond Python's limits
        raise UserError(f"line {number} must be a JSON object, but cannot be read: {error}.") from None
    if isinstance(found, dict):
        for side in ("source", "target"):
            check_once(f"line {number}", found, side)
    if not isinstance(found, dict) or not all(isinstance(found.get(side), str) for side in ("source", "target")):
        raise UserError(f"line {number} must be a JSON object with the texts source and target, but is {text[:80]}")
    return encodable(found["source"]), encodable(found["target"])


READERS = {"tsv": pair_of_columns, "json": pair_of_object}
