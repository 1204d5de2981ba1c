"""Relatives of the LSTM that torch has no kernel for."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.activations import cell_function, gate_function
from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.gates import GateView, gate_views
from seq2seq.layers.recurrent.initialization import MATRICES, OPEN_FORGET_GATE, Initialization
from seq2seq.layers.recurrent.regularization import PLAIN, Regularization
from seq2seq.layers.recurrent.state import LSTMState, StateLayout


class GatedCell(Cell):
    """A cell whose gates are rows of one input matrix, one recurrent matrix and one bias, in the order of `gate_sizes`.

    `advance` is the LSTM's unless a kind says otherwise. Initialised as told; else the forget gate, if there is one,
    starts open.
    """

    def __init__(
        self,
        input_size: int,
        layout: StateLayout,
        gate_sizes: Mapping[str, int],
        *,
        gate_activation: str,
        activation: str,
        initialization: Initialization | None,
        regularization: Regularization,
        timescales: int = 1,
    ) -> None:
        rows = sum(gate_sizes.values())
        super().__init__(input_size, rows, layout, regularization)
        self.gate_sizes = dict(gate_sizes)
        self.open, self.squash = gate_function(gate_activation), cell_function(activation)
        self.input_weight = nn.Parameter(torch.empty(rows, input_size))
        self.recurrent_weight = nn.Parameter(torch.empty(rows, self.hidden_size))
        self.bias = nn.Parameter(torch.empty(rows))
        initialize = initialization or (OPEN_FORGET_GATE if self.memory_gate else MATRICES)
        initialize(self.gates, self.hidden_size, self.memory_gate, timescales)

    @property
    def gates(self) -> dict[str, GateView]:
        return gate_views(self.gate_sizes, self.input_weight, self.recurrent_weight, self.bias)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_weight",)

    def project(self, inputs: CellInputs) -> Projected:
        return functional.linear(inputs, self.input_weight, self.bias)

    def recur(self, hidden: Tensor) -> Projected:
        """The hidden state's part of all gates."""
        return functional.linear(hidden, self.recurrent_weight)

    def sums(self, projected: Projected, state: LSTMState) -> tuple[Tensor, ...]:
        """What goes into each gate."""
        return (projected + self.recur(state.hidden)).split(tuple(self.gate_sizes.values()), -1)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, Any]:
        i, f, g, o = self.sums(projected, state)
        gates = LSTMGates(self.open(i), self.open(f), self.squash(g), self.open(o))
        return gates.state(state.cell, self.squash), gates


class LSTMVariant(GatedCell):
    """A gated cell whose gates and memory are all as wide as its hidden state."""

    gate_names: ClassVar[tuple[str, ...]] = LSTMGates._fields

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gate_activation: str = "sigmoid",
        activation: str = "tanh",
        initialization: Initialization | None = None,
        regularization: Regularization = PLAIN,
    ) -> None:
        super().__init__(
            input_size,
            StateLayout(LSTMState, (hidden_size, hidden_size)),
            dict.fromkeys(self.gate_names, hidden_size),
            gate_activation=gate_activation,
            activation=activation,
            initialization=initialization,
            regularization=regularization,
        )
        self.extend()

    def extend(self) -> None:
        """Add the parameters that a kind has beyond its matrices."""
