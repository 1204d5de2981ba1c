"""The two columns of a table from Python that hold sources and targets."""

from collections.abc import Sequence
from typing import Any

from seq2seq.errors import UserError


def two_of(columns: Sequence[Any], name: str) -> tuple[Any, Any]:
    """The columns of sources and targets, by these names or as the only two. Raises UserError at any others."""
    found = ("source", "target") if "source" in columns and "target" in columns else tuple(columns)
    if len(found) != 2:
        raise UserError(
            f"{name} must have columns source and target, or two columns, but has "
            f"{', '.join(map(str, columns)) or 'none'}{_advice(columns)}."
        )
    for column in found:
        if columns.count(column) > 1:
            raise UserError(f"{name} must have each column once, but has {column!r} {columns.count(column)} times.")
    return found


def _advice(columns: Sequence[Any]) -> str:
    """The end of a message on columns of which it is not known which two are meant."""
    return f": choose two, of a data frame as in frame[{[*columns[-2:]]!r}]" if len(columns) > 2 else ""
