"""Cells that a list of layers names, one rule for all that looks into them."""

from collections.abc import Iterable, Sequence
from typing import Any

from seq2seq.errors import UserError
from seq2seq.interpretation.intervention import find_cell
from seq2seq.models.seq2seq import Seq2Seq


def check_layers(layers: Any) -> None:
    """Check that layers are null, which is all cells, or names, each once. Raises UserError if not."""
    if layers is None:
        return
    if not isinstance(layers, list | tuple) or not layers or not all(isinstance(name, str) for name in layers):
        raise UserError(f"layers must be a list of names, or null for all, but is {layers!r}.")
    for name in layers:
        if sum(own.replace(".", " ") == name.replace(".", " ") for own in layers) > 1:
            raise UserError(f"layers must have each once, but has {name} twice: leave one out.")


def chosen_cells(model: Seq2Seq, layers: Sequence[str] | None, every: Iterable[str]) -> list[str]:
    """Names in traces of the cells that layers mean; every one of these where they are null.

    Raises UserError as `check_layers` does, and at a cell that the model has not.
    """
    check_layers(layers)
    if layers is None:
        return list(every)
    names = [name.replace(".", " ") for name in layers]
    for name in names:
        find_cell(model, name)
    return names
