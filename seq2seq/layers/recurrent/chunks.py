"""Sequences that a cell runs over some steps at a time, so that less is in memory at once."""

import torch

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.recomputing import recomputed, unroll
from seq2seq.shapes import Inputs, Outputs


def unroll_chunks(cell: Cell, inputs: Inputs, chunk_size: int | None) -> Outputs:
    """Outputs of a cell from its zero state, `batch time hidden`, so many steps at a time, or all at once."""
    state = cell.start(inputs)
    if chunk_size is None or inputs.shape[1] <= chunk_size:
        return unroll(cell, inputs, state)[0]
    outputs = []
    for chunk in inputs.split(chunk_size, 1):
        part, state = recomputed(cell.unroll, chunk, state)
        outputs.append(part)  # (batch, chunk, half)
    return torch.cat(outputs, 1)


def check_chunks(chunk_size: int | None, cell: Cell) -> None:
    """Check that a cell can run over chunks. Raises UserError where each would drop something else."""
    for name, what in (("weight_drop", "weights"), ("recurrent_dropout", "units")):
        rate = getattr(cell.regularization, name)
        if chunk_size is not None and rate > 0:
            raise UserError(
                f"chunk_size must be null where {name} is above 0, as each "
                f"chunk would drop other {what}, but they are {chunk_size} and {rate}."
            )
