"""The quasi-recurrent network."""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.layers.linear import linear
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
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
    """Quasi-recurrent network with forget and output gate (Bradbury et al. 2017, "fo"), its window one step or two.

    c' = f c + (1 - f) g,  h' = o c', where f, o = sigmoid and g = tanh of W x + b, and with a window of two of
    W x + V y + b, where y is the input before x. V y is carried beside the memory, so that it is reordered, masked and
    zoned out with it, and a bridge gives it a first value. Raises UserError at another window.

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

    def __init__(self, input_size: int, hidden_size: int, *, window: int = 1, options: CellOptions = DEFAULTS) -> None:
        if window not in (1, 2):
            raise UserError(f"window must be 1 or 2 steps, but is {window}.")
        carried = (window - 1) * len(self.gate_names) * hidden_size
        super().__init__(input_size, hidden_size, options, carried=carried)
        self.projected_size += carried
        self.ahead = linear(input_size, carried, bias=False) if carried else None  # what an input is to the next step

    def project(self, inputs: CellInputs) -> Projected:
        own = super().project(inputs)
        return own if self.ahead is None else torch.cat([own, self.ahead(inputs)], -1)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, QRNNGates]:
        memory, before = self._split(state.cell)
        sums, ahead = precise(projected).split([3 * self.hidden_size, before.shape[-1]], -1)
        f, g, o = (sums if self.ahead is None else sums + before).chunk(3, -1)
        gates = self.all_held(QRNNGates(f.sigmoid(), self.activation(g), o.sigmoid()))
        cell = torch.lerp(gates.candidate, memory, gates.forget)
        return LSTMState(gates.output * cell, torch.cat([cell, ahead], -1)), gates

    def run(self, inputs: Inputs, memory: Tensor) -> tuple[Outputs, Tensor]:
        memory, before = self._split(memory)
        sums, last = precise(super().project(inputs)), before
        if self.ahead is not None:
            ahead = precise(self.ahead(inputs))
            sums, last = sums + torch.cat([before.unsqueeze(0), ahead[:-1]]), ahead[-1]
        _, cells, (o,) = mix(sums, memory, self.activation)
        return o.sigmoid() * cells, torch.cat([cells[-1], last], -1)

    def _split(self, carried: Tensor) -> tuple[Tensor, Tensor]:
        """The memory, and the part of this step's sums that is the last one's input's."""
        width = self.hidden_size
        return carried[..., :width], carried[..., width:]
