"""Base of the cells that torch has no kernel for."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.activations import gate_function
from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.gate_view import GateView, gate_views
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise


class GatedCell(Cell):
    """A cell whose gates are rows of one input matrix, one recurrent matrix and one bias, in the order of `gate_sizes`.

    `advance` is the LSTM's unless a kind says otherwise. Initialised as told; else the forget gate, if there is one,
    starts open.

    >>> from seq2seq.layers.recurrent.cells.gated import GatedCell
    >>> from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS
    >>> from seq2seq.layers.recurrent.state import LSTMState, StateLayout
    >>> layout, sizes = StateLayout(LSTMState, (4, 4)), {"input": 4, "forget": 4, "candidate": 4, "output": 4}
    >>> cell = GatedCell(3, layout, sizes, GATED_DEFAULTS)
    >>> cell.gates["forget"].bias.tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        input_size: int,
        layout: StateLayout,
        gate_sizes: Mapping[str, int],
        options: GatedCellOptions,
        *,
        timescales: int = 1,
    ) -> None:
        rows = sum(gate_sizes.values())
        super().__init__(input_size, rows, layout, options)
        self.gate_sizes = dict(gate_sizes)
        self.gate_activation = gate_function(options.gate_activation)
        self.input_weight = nn.Parameter(torch.empty(rows, input_size))
        self.recurrent_weight = nn.Parameter(torch.empty(rows, self.hidden_size))
        self.bias = nn.Parameter(torch.empty(rows))
        self.initialize(options, timescales)

    @property
    def gates(self) -> dict[str, GateView]:
        return gate_views(self.gate_sizes, self.input_weight, self.recurrent_weight, self.bias)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_weight",)

    def project(self, inputs: CellInputs) -> Projected:
        return functional.linear(inputs, self.input_weight, self.bias)

    def recur(self, hidden: Tensor) -> Projected:
        """The hidden state's part of all gates, `*batch gates`."""
        return functional.linear(hidden, self.recurrent_weight)

    def sums(self, projected: Projected, state: LSTMState) -> tuple[Tensor, ...]:
        """Sums that go into the gates, `*batch gate` of each in their order, in float32 or better."""
        return (precise(projected) + self.recur(state.hidden)).split(tuple(self.gate_sizes.values()), -1)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, Any]:
        gates = self.all_held(LSTMGates.from_sums(self.sums(projected, state), self.gate_activation, self.activation))
        return gates.state(state.cell, self.activation), gates
