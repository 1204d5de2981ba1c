"""The simple recurrent network with a residual connection over time."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.options import DEFAULTS, CellOptions
from seq2seq.layers.recurrent.gate_view import GateView, gate_views
from seq2seq.layers.recurrent.state import HiddenState, StateLayout
from seq2seq.precise import precise


class ResidualGates(NamedTuple):
    """Activations of one step, each as wide as the hidden state: what is new, and the shares of that and of the old.

    The shares are the same for every unit and step.
    """

    candidate: Tensor
    new: Tensor
    old: Tensor


class ResidualElmanCell(Cell):
    """Elman cell with a residual connection over time (Kusupati et al. 2018, "FastRNN").

    h' = u g + v h, where g = tanh(W x + U h + b). The two numbers u and v are sigmoids that learn, first 0.05 and 0.95.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.residual import ResidualElmanCell
    >>> from seq2seq.layers.recurrent.state import HiddenState
    >>> cell, state = ResidualElmanCell(3, 4), HiddenState(torch.randn(2, 4))
    >>> (cell.step(torch.randn(2, 3), state).hidden - 0.95 * state.hidden).abs().max().item() < 0.06
    True
    """

    keep_gate = None

    def __init__(self, input_size: int, hidden_size: int, *, options: CellOptions = DEFAULTS) -> None:
        super().__init__(input_size, hidden_size, StateLayout(HiddenState, (hidden_size,)), options)
        self.input_weight = nn.Parameter(torch.empty(hidden_size, input_size))
        self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(hidden_size))
        self.shares = nn.Parameter(torch.tensor([-3.0, 3.0]))  # of what is new and of what was there, before sigmoid
        self.initialize(options)

    @property
    def gates(self) -> dict[str, GateView]:
        sizes = {"candidate": self.hidden_size}
        return gate_views(sizes, self.input_weight, self.recurrent_weight, self.bias)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_weight",)

    def project(self, inputs: CellInputs) -> Projected:
        return functional.linear(inputs, self.input_weight, self.bias)

    def recur(self, hidden: Tensor) -> Projected:
        """The hidden state's part of the candidate, `*batch hidden`."""
        return functional.linear(hidden, self.recurrent_weight)

    def advance(self, projected: Projected, state: HiddenState) -> tuple[HiddenState, ResidualGates]:
        return self._advance(projected, state, state.hidden)

    def advance_masked(
        self, projected: Projected, state: HiddenState, mask: Tensor
    ) -> tuple[HiddenState, ResidualGates]:
        return self._advance(projected, state, state.hidden * mask)

    def _advance(self, projected: Projected, state: HiddenState, hidden: Tensor) -> tuple[HiddenState, ResidualGates]:
        candidate = self.held("candidate", self.activation(precise(projected) + self.recur(hidden)))
        new, old = (share.expand_as(candidate) for share in precise(self.shares).sigmoid())
        new, old = self.held("new", new), self.held("old", old)
        after = new * candidate + old * state.hidden
        return HiddenState(after), ResidualGates(candidate, new, old)
