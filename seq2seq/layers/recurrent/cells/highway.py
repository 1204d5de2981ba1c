"""The recurrent highway network."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.activations import gate_function
from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, CellOptions, GatedCellOptions
from seq2seq.layers.recurrent.gate_view import GateView, interleaved_views
from seq2seq.layers.recurrent.state import HiddenState, StateLayout
from seq2seq.precise import precise


class HighwayGates(NamedTuple):
    """Activations of one step, each as wide as the hidden state.

    `carry` is the share that all layers together keep, and `candidate` what the first of them adds.
    """

    carry: Tensor
    candidate: Tensor


class RecurrentHighwayCell(Cell):
    """Recurrent highway network with coupled gates (Zilly et al. 2017): a step is `depth` highway layers.

    s' = c s + (1 - c) g, where c = sigmoid and g = tanh of U s + b, and in the first layer of W x + U s + b; a state
    goes through all of them. Raises UserError below one.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.highway import RecurrentHighwayCell
    >>> from seq2seq.layers.recurrent.state import HiddenState
    >>> cell, state = RecurrentHighwayCell(3, 4, depth=3), HiddenState(torch.randn(2, 4))
    >>> cell.gates["carry"].set_bias(50.0)  # of all layers
    >>> torch.allclose(cell.step(torch.randn(2, 3), state).hidden, state.hidden)
    True
    """

    keep_gate = "carry"

    def __init__(
        self, input_size: int, hidden_size: int, *, depth: int = 2, options: GatedCellOptions = GATED_DEFAULTS
    ) -> None:
        if depth < 1:
            raise UserError(f"depth must be at least 1 layer, but is {depth}.")
        super().__init__(input_size, 2 * hidden_size, StateLayout(HiddenState, (hidden_size,)), options)
        self.gate_activation = gate_function(options.gate_activation)
        self.depth = depth
        rows = 2 * depth * hidden_size
        self.input_weight = nn.Parameter(torch.empty(2 * hidden_size, input_size))  # rows of the first layer alone
        self.recurrent_weight = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias = nn.Parameter(torch.empty(rows))
        self.initialize(options)

    @property
    def gates(self) -> dict[str, GateView]:
        return interleaved_views(HighwayGates._fields, self.input_weight, self.recurrent_weight, self.bias)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_weight",)

    def initialize(self, options: CellOptions, timescales: int = 1) -> None:
        """Give the gates of each layer their first values."""
        initialize, size = self.initialization(options), self.hidden_size
        for first in range(0, self.depth * size, size):
            parameters = self.input_weight, self.recurrent_weight, self.bias
            gates = interleaved_views(HighwayGates._fields, *parameters, units=(first, first + size))
            initialize(gates, size, self.keep_gate, timescales)

    def project(self, inputs: CellInputs) -> Projected:
        return functional.linear(inputs, self.input_weight)

    def advance(self, projected: Projected, state: HiddenState) -> tuple[HiddenState, HighwayGates]:
        return self._advance(projected, state, lambda hidden: hidden)

    def advance_masked(
        self, projected: Projected, state: HiddenState, mask: Tensor
    ) -> tuple[HiddenState, HighwayGates]:
        return self._advance(projected, state, lambda hidden: hidden * mask)

    def _advance(
        self, projected: Projected, state: HiddenState, read: Callable[[Tensor], Tensor]
    ) -> tuple[HiddenState, HighwayGates]:
        hidden, (weights, biases) = (
            state.hidden,
            (part.chunk(self.depth) for part in (self.recurrent_weight, self.bias)),
        )
        carries, candidates = [], []
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            sums = precise(functional.linear(read(hidden.to(state.hidden.dtype)), weight, bias))
            sums = sums if layer else sums + projected
            carry, candidate = sums.unflatten(-1, (self.hidden_size, 2)).unbind(-1)
            carries.append(self.held("carry", self.gate_activation(carry)))
            candidates.append(self.held("candidate", self.activation(candidate)))
            hidden = torch.lerp(candidates[-1], hidden.to(candidates[-1].dtype), carries[-1])
        return HiddenState(hidden), HighwayGates(torch.stack(carries).prod(0), candidates[0])
