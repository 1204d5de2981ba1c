"""Advice on rows that are no pair of texts, and on lists of tokens that were taken for answers."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from seq2seq.errors import shown

logger = logging.getLogger(__name__)
_MOST = 500  # symbols that a language, or a notation, may have


def advice_on(row: Any) -> str:
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


def warn_of_tokens(name: str, lists: Sequence[Sequence[str]]) -> None:
    """Warn where lists of targets, each of which is an answer, look like the tokens of one answer each.

    So they do where a list has one of them twice, all are single words, and most come in other lists, too.
    """
    counts = Counter(text for one in lists for text in one)
    repeating = next((one for one in lists if len(set(one)) < len(one)), None)
    few = len(counts) <= min(_MOST, counts.total() // 2)
    if repeating is None or not few or any(len(text.split()) > 1 for text in counts):
        return
    twice = next(text for text in repeating if repeating.count(text) > 1)
    logger.warning(
        "%s: each of a list of targets is an answer by itself, but %s has %r twice: where these are the tokens of one "
        "answer, join them, as in ' '.join(target)",
        *(name, shown([*repeating]), twice),
    )
