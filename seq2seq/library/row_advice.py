"""Advice on rows that are no pair of texts."""

from collections.abc import Mapping
from math import isnan
from typing import Any

from seq2seq.errors import shown


def row_advice(row: Any) -> str:
    """The end of a message on a row that is no pair of texts: what to do, if that can be told."""
    if isinstance(row, Mapping):
        return f": name them source and target, as in {{'source': ..., 'target': ...}}, not {_names(row)}"
    if isinstance(row, str):
        return ": pair texts by zip(sources, targets)"
    if not isinstance(row, list | tuple):
        return ""
    if len(row) != 2:
        return ": choose two of them, or pair whole columns by zip(sources, targets)"
    return next((advice for one in row if (advice := _of_side(one))), "")


def _names(row: Mapping[Any, Any]) -> str:
    return ", ".join(shown(name) for name in [*row][:5]) or "nothing"


def _of_side(side: Any) -> str:
    """Advice on a source or a target that is no text."""
    if side is None or type(side).__name__ == "NAType" or (isinstance(side, float) and isnan(side)):  # pandas.NA
        return ": leave out rows that lack one, of a data frame by dropna()"
    if isinstance(side, bytes):
        return ": decode bytes, as in source.decode()"
    if isinstance(side, list | tuple) and side and all(isinstance(one, str) for one in side):
        return ": join tokens to one text, as in ' '.join(source)"
    return f": make it a text, as in str({shown(side)})" if isinstance(side, int | float) else ""
