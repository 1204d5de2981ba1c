"""Prepared products that the gates of an LSTM are made of: one for full matrices, three for those of lower rank."""

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.compression.prepared import PreparedLinear, Results
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell

# From a weight, a bias, an `activation`, and the name of a `part` where a product is one of several.
Make = Callable[..., PreparedLinear]
PackableCell = LSTMCell | LowRankLSTMCell
GateProduct = Callable[..., Results]  # from what is read, in parts, the hidden state last, to all gates
GateMatrix = Float[Tensor, "gates size"]
ALL, NONE = slice(None), slice(0)  # of a cell's inputs


def packable(cell: Cell) -> TypeGuard[PackableCell]:
    """Tell whether a cell is one whose gates these products make, by the LSTM's own equations."""
    return type(cell) in (LSTMCell, LowRankLSTMCell) and bool(getattr(cell, "plain", False))


def gate_product(
    cell: PackableCell,
    make: Make,
    *,
    columns: slice = ALL,
    between: Sequence[GateMatrix] = (),
    activation: str = "none",
) -> GateProduct:
    """The product of [inputs; what else is read; hidden] that gives the sums of all gates, or their activation.

    The candidate's are doubled. Of the inputs it may read some columns alone; where none, it has no bias, either.
    `between` are matrices of what else is read.
    """
    if isinstance(cell, LowRankLSTMCell):
        return LowRankGates(cell, make, columns, between, activation)
    return FullGates(cell, make, columns, between, activation)


class FullGates:
    """One product of all that is read with the matrices of an LSTM side by side."""

    def __init__(
        self, cell: LSTMCell, make: Make, columns: slice, between: Sequence[GateMatrix], activation: str
    ) -> None:
        kernel: Any = cell.kernel
        joined = torch.cat([cell.input_weight[:, columns], *between, kernel.weight_hh_l0], 1)
        bias = None if columns == NONE else doubled(cell.bias)
        self.product = make(doubled(joined), bias, activation=activation)

    def __call__(self, *parts: Tensor) -> Results:
        return self.product(_joined(parts))


class LowRankGates:
    """A product with each factor of a cell of low rank, W = A B and U = C D, and one of their results with [A, C]."""

    def __init__(
        self, cell: LowRankLSTMCell, make: Make, columns: slice, between: Sequence[GateMatrix], activation: str
    ) -> None:
        reads = columns != NONE
        self.of_inputs = make(cell.input_factor[:, columns].clone(), None, part="inputs") if reads else None
        self.of_hidden = make(cell.recurrent_factor.clone(), None, part="hidden")
        joined = torch.cat([*([cell.input_weight] if reads else []), *between, cell.recurrent_weight], 1)
        bias = doubled(cell.bias.clone()) if reads else None
        self.product = make(doubled(joined), bias, activation=activation)

    def __call__(self, *parts: Tensor) -> Results:
        *read, hidden = parts
        if self.of_inputs is not None:
            read[0] = self.of_inputs(read[0])
        return self.product(_joined([*read, self.of_hidden(hidden)]))


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)  # type: ignore[arg-type]


def input_matrix(cell: PackableCell, columns: slice = ALL) -> GateMatrix:
    """The full matrix from some of the inputs to all gates, a new one."""
    if isinstance(cell, LowRankLSTMCell):
        return cell.input_weight @ cell.input_factor[:, columns]
    return cell.input_weight[:, columns].clone()


def doubled(gates: Tensor, axis: int = 0) -> Tensor:
    """The weights or sums of all gates, those of the candidate, third of four, made twice as large in their place."""
    size = gates.shape[axis] // 4
    gates.narrow(axis, 2 * size, size).mul_(2)
    return gates
