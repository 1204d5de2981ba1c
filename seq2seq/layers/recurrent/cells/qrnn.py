"""The quasi-recurrent network."""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.light import LightCell
from seq2seq.layers.recurrent.cells.options import DEFAULTS, CellOptions
from seq2seq.layers.recurrent.mixing import mix
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.precise import precise
from seq2seq.shapes import Inputs, Outputs


class QRNNGates(NamedTuple):
    """Activations of one step, each as wide as the cell."""

    forget: Tensor
    candidate: Tensor
    output: Tensor


class QRNNCell(LightCell):
    """Quasi-recurrent network with forget and output gate (Bradbury et al. 2017, "fo"), its window one step.

    c' = f c + (1 - f) g,  h' = o c', where f, o = sigmoid and g = tanh of W x + b.

    A shut output gate shows nothing of what the memory holds:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.qrnn import QRNNCell
    >>> cell, inputs = QRNNCell(3, 4), torch.randn(2, 5, 3)
    >>> cell.gates["output"].set_bias(-50.0)
    >>> outputs, last = cell.unroll(inputs, cell.start(inputs))
    >>> bool(outputs.abs().max() < 1e-6), bool(last.cell.abs().max() > 1e-2)
    (True, True)
    """

    gate_names = QRNNGates._fields

    def __init__(self, input_size: int, hidden_size: int, *, options: CellOptions = DEFAULTS) -> None:
        super().__init__(input_size, hidden_size, options)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, QRNNGates]:
        f, g, o = precise(projected).chunk(3, -1)
        gates = QRNNGates(f.sigmoid(), self.activation(g), o.sigmoid())
        cell = torch.lerp(gates.candidate, state.cell, gates.forget)
        return LSTMState(gates.output * cell, cell), gates

    def run(self, inputs: Inputs, memory: Tensor) -> tuple[Outputs, Tensor]:
        _, cells, (o,) = mix(precise(self.project(inputs)), memory, self.activation)
        return o.sigmoid() * cells, cells[-1]
