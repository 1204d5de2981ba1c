"""Layers whose insides are computed twice in place of being kept."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.state import State
from seq2seq.shapes import Inputs, Outputs

Made = TypeVar("Made")


def unroll(cell: Cell, inputs: Inputs, state: State) -> tuple[Outputs, State]:
    """Outputs of all steps of a cell and its last state, its insides recomputed where the cell says so."""
    return recomputed(cell.unroll, inputs, state) if cell.recomputes else cell.unroll(inputs, state)


def recomputed(function: Callable[..., Made], *given: object) -> Made:
    """The value of a function, of which only what is given is kept for gradients; the rest is computed anew for them.

    Gradient checkpointing (Chen et al. 2016). The second time draws the same random numbers, so that nothing else
    differs. Without gradients nothing is kept anyway.
    """
    if not torch.is_grad_enabled():
        return function(*given)
    return checkpoint(function, *given, use_reentrant=False)


def recompute(model: nn.Module) -> None:
    """Have all recurrent layers of a model recompute their insides."""
    for part in model.modules():
        if isinstance(part, Cell):
            part.recomputes = True
