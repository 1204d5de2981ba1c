"""Remains of a stored value in each precision: a cell made a latch, read out again after many steps."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.state import State

PRECISIONS = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MIXED = "bf16-mixed"  # weights in float32, products by autocast
SHORTEST = 0.01  # steps that a latch may have as its constant: e^-100 is left of each, nothing in float32
_STORED = 0.3, 0.9  # the least and the greatest of the values that units hold at first


@dataclass(frozen=True)
class Erosion:
    """Shares of the stored values that are left after numbers of steps, as means over units, and what should be.

    `spread` is the difference between the largest share of a unit and the smallest at the end: more than nothing means
    that values do not fade alike. `by` is kernel or equations.
    """

    precision: str
    by: str
    steps: list[int]
    left: list[float]
    exact: list[float]
    spread: float


def check_time_constant(time_constant: float) -> None:
    """Raise UserError at a time constant that no latch can have: its gate would be shut at once."""
    if not SHORTEST <= time_constant < math.inf:
        raise UserError(f"time_constant must be at least {SHORTEST} steps, but is {time_constant}.")


@torch.no_grad()
def make_latch(cell: Cell, time_constant: float) -> None:
    """Make a cell keep what it holds, and read nothing: every weight 0, but for the bias of the gate that keeps.

    That is at exp(-1 / time_constant) then, so that 1/e is left after as many steps, and an input gate is shut. Raises
    UserError at a cell without that gate, and at a constant below `SHORTEST`.
    """
    if cell.keep_gate is None:
        raise UserError("A latch must have a gate that keeps the memory, but this cell has none.")
    check_time_constant(time_constant)
    for weight in cell.parameters():
        weight.zero_()
    bias = -math.log(math.expm1(1 / time_constant))  # sigmoid(bias) = exp(-1 / time_constant)
    gates = cell.gates
    gates[cell.keep_gate].set_bias(bias)
    if "input" in gates:
        gates["input"].set_bias(-bias)


def erosion(latch: Cell, precision: str, marks: Sequence[int], *, fused: bool) -> Erosion:
    """Remains of a value in a latch of a precision after numbers of steps, in rising order.

    `fused` takes the fastest path there is, and otherwise the equations, step by step. The exact shares are those of
    the gate's own value in float64. Raises RuntimeError where this machine does not compute in the precision.
    """
    kept = _kept(latch)
    mixed = precision == MIXED
    dtype = torch.float32 if mixed else PRECISIONS[precision]
    cell = deepcopy(latch).eval().to(dtype)
    cell.fused = fused
    state = first = _stored(cell, dtype)
    shares = []
    context: Any = torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext()
    with torch.no_grad(), context:
        for before, mark in zip([0, *marks], marks, strict=False):
            inputs = torch.zeros(1, mark - before, cell.input_size, dtype=dtype)
            state = cell.unroll(inputs, state)[1]
            shares.append(_memory(cell, state).double() / _memory(cell, first).double())
    return Erosion(
        precision,
        "kernel" if fused else "equations",
        list(marks),
        [float(share.mean()) for share in shares],
        [kept**mark for mark in marks],
        float(shares[-1].max() - shares[-1].min()),
    )


@torch.no_grad()
def _kept(latch: Cell) -> float:
    """The share that one step keeps, in float64."""
    cell = deepcopy(latch).eval().double()
    first = _stored(cell, torch.float64)
    after, _ = cell.advance(cell.project(torch.zeros(1, cell.input_size, dtype=torch.float64)), first)
    return float((_memory(cell, after) / _memory(cell, first)).mean())


def _stored(cell: Cell, dtype: torch.dtype) -> State:
    """A state whose memory holds another value in each unit."""
    state = cell.start(torch.zeros(1, cell.input_size, dtype=dtype))
    memory = _memory(cell, state)
    memory.copy_(torch.linspace(*_STORED, memory.shape[-1], dtype=torch.float64))
    return state


def _memory(cell: Cell, state: State) -> Tensor:
    memory = state[-1]
    return memory[..., : memory.shape[-1] - cell.layout.carried]
