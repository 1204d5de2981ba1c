"""Exceptions that mean: the user can mend this, here is how; and texts made fit to be shown in them."""

import math
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

_LARGEST = 3.4028234663852886e38  # of float32
_SHOWN = 80  # characters of a value in a message
_LONGEST, _BEGINNING, _END = 2400, 1600, 600  # characters of a message, and what is kept of one that is longer
_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # turn the order of what follows


class UserError(ValueError):
    """A mistake in input or config, told in one line: name, rule, value, what to do.

    Of a message that repeats a value of any length, the middle is left out.
    """

    exit_code = 2  # of a script that ends with it

    def __init__(self, message: str = "") -> None:
        super().__init__(without_middle(message))


class DivergedError(UserError):
    """Training whose numbers are no longer finite, told in one line: where, and what to do."""

    exit_code = 3


@contextmanager
def needed_by(option: str) -> Iterator[None]:
    """Tell mistakes as what keeps an option from a model, for as long as the context is open."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{option} cannot be had with this model: {error}") from None


def check_finite(**values: object) -> None:
    """Raise UserError at the first value, by its name, that is or holds an infinity, NaN, or too much for 32 bits."""
    for name, value in values.items():
        if not _all(value, lambda number: isinstance(number, int) or math.isfinite(number)):
            raise UserError(f"{name} must be a finite number, but is {value}.")
        if not _all(value, lambda number: abs(number) <= _LARGEST):
            raise UserError(f"{name} must be a number of at most {_LARGEST:.2g}, as 32 bits hold, but is {value}.")


def _all(value: object, holds: Callable[[Any], bool]) -> bool:
    """Tell whether a condition holds for a value, and for all that it holds, where they are numbers."""
    if isinstance(value, list | tuple):
        return all(_all(one, holds) for one in value)
    return not isinstance(value, Real) or holds(value)


def shown(value: object) -> str:
    """A value in a message: what `repr` makes of it, in one line and not too long for one."""
    text = " ".join(repr(value).split()) if "\n" in repr(value) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def without_middle(message: str) -> str:
    """The message, without the middle of one that nobody would read, but with how long that was."""
    if len(message) <= _LONGEST:
        return message
    left_out = len(message) - _BEGINNING - _END
    return f"{message[:_BEGINNING]} ... ({left_out:,} characters left out) ... {message[-_END:]}"


def printable(text: str) -> str:
    """The text with what steers a terminal, or the order that it writes in, shown as an escape sequence."""
    return "".join(_escaped(character) if _steers(character) else character for character in text)


def _steers(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
