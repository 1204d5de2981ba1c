"""The minimal gated recurrent unit."""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.light import LightCell
from seq2seq.layers.recurrent.cells.options import LINEAR_DEFAULTS, LinearCellOptions
from seq2seq.layers.recurrent.mixing import mix
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.precise import precise
from seq2seq.shapes import Inputs, Outputs


class MinGRUGates(NamedTuple):
    """Activations of one step, each as wide as the cell."""

    update: Tensor
    candidate: Tensor


class MinGRUCell(LightCell):
    """Minimal gated recurrent unit (Feng et al. 2024), whose gate and new content read the input alone.

    h' = c' = z c + (1 - z) g, where z = sigmoid and g = identity of W x + b. As in torch's GRU, an open update gate
    keeps; in the paper it is shut then. Its positive g is left out: only logarithms need it.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.min_gru import MinGRUCell
    >>> cell, inputs = MinGRUCell(3, 4), torch.randn(2, 5, 3)
    >>> outputs, last = cell.unroll(inputs, cell.start(inputs))
    >>> torch.equal(outputs[:, -1], last.cell)
    True
    >>> cell.gates["update"].set_bias(50.0)
    >>> torch.equal(cell.step(inputs[:, 0], last).cell, last.cell)
    True
    """

    gate_names = MinGRUGates._fields
    keep_gate = "update"

    def __init__(self, input_size: int, hidden_size: int, *, options: LinearCellOptions = LINEAR_DEFAULTS) -> None:
        super().__init__(input_size, hidden_size, options)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, MinGRUGates]:
        z, g = precise(projected).chunk(2, -1)
        gates = self.all_held(MinGRUGates(z.sigmoid(), self.activation(g)))
        cell = torch.lerp(gates.candidate, state.cell, gates.update)
        return LSTMState(cell, cell), gates

    def run(self, inputs: Inputs, memory: Tensor) -> tuple[Outputs, Tensor]:
        cells = mix(precise(self.project(inputs)), memory, self.activation).after
        return cells, cells[-1]
