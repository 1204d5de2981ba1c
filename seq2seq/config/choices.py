"""Choices to set side by side: overrides beside the config as it is."""

import shlex
from collections.abc import Iterable

from seq2seq.errors import UserError

PLAIN = "as it is"


def read_choices(given: Iterable[object]) -> dict[str, list[str]]:
    """Overrides of each choice, by their text with spaces between them; first, none. Raises UserError at others."""
    own = {text: shlex.split(text) for text in map(str, given)}
    for text in [text for parts in own.values() for text in parts if "=" not in text] or ([] if own else ["nothing"]):
        raise UserError(f"choices must be overrides, such as ['model.dropout=0.2'], but {text} is none.")
    return {PLAIN: [], **own}
