"""The minimal LSTM."""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.light import LightCell
from seq2seq.layers.recurrent.cells.options import LINEAR_DEFAULTS, LinearCellOptions
from seq2seq.layers.recurrent.mixing import mix, share
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.precise import precise
from seq2seq.shapes import Inputs, Outputs


class MinLSTMGates(NamedTuple):
    """Activations of one step, each as wide as the cell; input and forget gate as their shares of both."""

    forget: Tensor
    candidate: Tensor
    input: Tensor


class MinLSTMCell(LightCell):
    """Minimal LSTM (Feng et al. 2024), whose gates and new content read the input alone and whose gates share one.

    h' = c' = (f c + i g) / (f + i), where i, f = sigmoid and g = identity of W x + b. With biases that are each other's
    negative, as `Chrono` sets them, f + i is 1 at first.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.min_lstm import MinLSTMCell
    >>> cell, inputs = MinLSTMCell(3, 4), torch.randn(2, 3)
    >>> state, gates = cell(cell.project(inputs), cell.start(inputs))
    >>> torch.allclose(gates.input + gates.forget, torch.ones(2, 4))
    True
    >>> torch.equal(state.hidden, state.cell)
    True
    """

    gate_names = MinLSTMGates._fields

    def __init__(self, input_size: int, hidden_size: int, *, options: LinearCellOptions = LINEAR_DEFAULTS) -> None:
        super().__init__(input_size, hidden_size, options)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, MinLSTMGates]:
        f, g, i = precise(projected).chunk(3, -1)
        forget = self.held("forget", share(f, i).sigmoid())
        gates = MinLSTMGates(forget, self.held("candidate", self.activation(g)), 1 - forget)
        cell = torch.lerp(gates.candidate, state.cell, forget)
        return LSTMState(cell, cell), gates

    def run(self, inputs: Inputs, memory: Tensor) -> tuple[Outputs, Tensor]:
        cells = mix(precise(self.project(inputs)), memory, self.activation, shares=True).after
        return cells, cells[-1]
