"""Targets that examples must have where a model is forced through them, or scored by them."""

from collections.abc import Sequence

from seq2seq.data.examples import Example
from seq2seq.errors import UserError


def check_gold(data: str, examples: Sequence[Example], instead: str = "file=pairs.tsv") -> None:
    """Raise UserError, naming the data and what to give `instead`, where some examples have no target."""
    if bare := sum(not any(map(str.strip, example.targets)) for example in examples):
        raise UserError(
            f"{data} must have a target for every source, but {bare} of {len(examples)} have none: give another split, "
            f"or {instead}."
        )
