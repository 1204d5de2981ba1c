"""Gaps between steps, which stand behind the vectors that recurrent layers read."""

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError

Inputs = Float[Tensor, "*batch input"]
Vectors = Float[Tensor, "*batch vector"]
Gaps = Float[Tensor, "*batch gap"]


def parted(inputs: Inputs, gap_size: int) -> tuple[Vectors, Gaps]:
    """The vectors of steps, and the gaps behind them."""
    size = inputs.shape[-1] - gap_size
    return inputs[..., :size], inputs[..., size:]


def beside(vectors: Vectors, gaps: Tensor) -> Inputs:
    """The vectors of steps with gaps behind them, `*batch gap`; where there are none, steps need not be as many."""
    return torch.cat([vectors, gaps], -1) if gaps.shape[-1] else vectors


def check_one_way(direction: str, halvings: int) -> None:
    """Check that layers can read gaps. Raises UserError where they read backwards, or several steps as one."""
    if direction != "forward":
        raise UserError(f"direction must be forward with a gap_cell, as gaps are before each step, but is {direction}.")
    if halvings:
        raise UserError(f"halvings must be 0 with a gap_cell, which reads a gap for each step, but is {halvings}.")
