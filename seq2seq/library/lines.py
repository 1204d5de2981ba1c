"""Lines to translate as calls from Python give them: a text or several, with prefixes and constraints."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from seq2seq.data.given_series import as_array, as_series, stacked
from seq2seq.data.text import check_whole
from seq2seq.errors import UserError, shown
from seq2seq.library.row_advice import row_advice
from seq2seq.translation.line import Line


def lines_of(texts: Any, prefix: Any, constraints: Any) -> tuple[list[Line], bool]:
    """Lines with their prefixes and constraints, and whether one was given by itself. Raises UserError at what is none.

    Several are in a list, an array or a column; none of them is no line.
    """
    several, alone = _several(texts)
    if alone:
        prefix, constraints = [prefix], [constraints]
    for name, given in (("prefix", prefix), ("constraints", constraints)):
        if not isinstance(given, Iterable) or isinstance(given, bytes):
            raise UserError(f"{name} must be given for each text, or left out, but is {shown(given)}.")
    prefixes = [prefix] * len(several) if isinstance(prefix, str) else list(prefix)
    phrases = [_read(own) for own in constraints] or [()] * len(several)
    for name, given in (("prefix", prefixes), ("constraints", phrases)):
        if len(given) != len(several):
            raise UserError(f"{name} must be given for each of {len(several)} texts, but there are {len(given)}.")
    for number, parts in enumerate(zip(several, prefixes, phrases, strict=True)):
        _check_line(*parts, number, "texts" if alone else f"texts[{number}]")
    return [
        Line(text, start, tuple(phrase for phrase in own if phrase.strip()))
        for text, start, own in zip(several, prefixes, phrases, strict=True)
    ], alone


def _read(phrases: Any) -> Any:
    """The phrases of a line in a list, as a generator gives them once; what is no such thing as it is."""
    return phrases if isinstance(phrases, str | bytes) or not isinstance(phrases, Iterable) else list(phrases)


def line_of(text: Any) -> str:
    """A text, or a series, by itself. Raises UserError at what is neither."""
    given = as_series(text, "text")
    if not isinstance(given, str):
        raise UserError(f"text must be one text, or frames, but is of type {type(text).__name__}.")
    check_whole(given, "text")
    return given


def _several(texts: Any) -> tuple[list[Any], bool]:
    """Texts and series in a list, and whether one was given by itself."""
    if isinstance(texts, np.ndarray) and not texts.ndim:
        texts = texts.item()
    if getattr(texts, "shape", None) == (0,):  # where nothing tells whether they are texts or frames
        return [], False
    held = as_array(texts)
    if isinstance(held, np.ndarray) and held.ndim > 1 and all(isinstance(one, str) for one in held.flat):
        raise UserError("texts must be one column, but are a table: give one of its columns.")
    texts = as_series(stacked(texts), "texts")
    if isinstance(texts, str):
        return [texts], True
    if isinstance(texts, Mapping | set | frozenset):
        raise UserError(f"texts must be in an order, but are of type {type(texts).__name__}: give a list.")
    if not isinstance(texts, Iterable) or isinstance(texts, bytes):
        raise UserError(f"texts must be a text, or several, but is of type {type(texts).__name__}.")
    return [as_series(text, f"texts[{number}]") for number, text in enumerate(texts)], False


def _check_line(text: Any, start: Any, own: Any, number: int, name: str) -> None:
    """Raise UserError where a line, its prefix or its constraints are no texts, or not whole ones."""
    if not isinstance(text, str):
        raise UserError(f"texts[{number}] must be a text, but is {shown(text)}{row_advice((text, ''))}.")
    if not isinstance(start, str):
        raise UserError(f"the prefix of texts[{number}] must be a text, but is {shown(start)}.")
    if isinstance(own, str) or not isinstance(own, Iterable) or not all(isinstance(phrase, str) for phrase in own):
        raise UserError(f"constraints of texts[{number}] must be a list of texts, but are {shown(own)}.")
    for part in (text, start, *own):
        check_whole(part, name)
