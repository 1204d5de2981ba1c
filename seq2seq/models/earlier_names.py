"""Names that weights had in earlier versions."""

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")
_INPUT = ("embedding", "ngrams", "front_end")  # parts of an encoder before it had an input


def with_present_names(weights: Mapping[str, Value]) -> dict[str, Value]:
    """Weights by the names that they have now, whatever stands before these."""
    return {_present(name): value for name, value in weights.items()}


def _present(name: str) -> str:
    for part in _INPUT:
        head, found, tail = name.partition(f"encoder.{part}.")
        if found and head in ("", "model."):
            return f"{head}encoder.input.{part}.{tail}"
    return name
