"""Choices to set side by side: overrides beside the config as it is."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seq2seq.errors import UserError

PLAIN = "as it is"


def read_choices(given: Iterable[object]) -> dict[str, list[str]]:
    """Overrides of each choice, by their text with spaces between them; first, none. Raises UserError at others."""
    own = {text: shlex.split(text) for text in map(str, given)}
    for text in [text for parts in own.values() for text in parts if "=" not in text] or ([] if own else ["nothing"]):
        raise UserError(f"choices must be overrides, such as ['model.dropout=0.2'], but {text} is none.")
    return {PLAIN: [], **own}


def read_values(given: object) -> tuple[str, list[Any]]:
    """An option and its values, which choices are set side by side at. Raises UserError at anything else."""
    if isinstance(given, Mapping) and len(given) == 1:
        (key, values), *_ = given.items()
        if (
            isinstance(values, Sequence)
            and not isinstance(values, str)
            and len(set(map(str, values))) == len(values) > 1
        ):
            return str(key), list(values)
    raise UserError(
        f"along must be one option and two values or more, such as {{data.train_size: [500, 2000]}}, but is {given}."
    )
