"""The simple recurrent network."""

from typing import NamedTuple

from torch import Tensor, nn

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.fused import FusedCell
from seq2seq.layers.recurrent.cells.options import DEFAULTS, CellOptions
from seq2seq.layers.recurrent.state import HiddenState, StateLayout
from seq2seq.precise import precise


class ElmanGates(NamedTuple):
    """Activations of one step: no gate, only what becomes the hidden state."""

    candidate: Tensor


class ElmanCell(FusedCell):
    """Elman cell: h' = tanh(W x + U h + b) (Elman 1990), or with relu or identity in the place of tanh.

    With relu it is never negative:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.elman import ElmanCell
    >>> from seq2seq.layers.recurrent.cells.options import CellOptions
    >>> cell, inputs = ElmanCell(3, 4, options=CellOptions(activation="relu")), torch.randn(2, 5, 3)
    >>> outputs, last = cell.unroll(inputs, cell.start(inputs))
    >>> outputs.shape, bool((outputs >= 0).all())
    (torch.Size([2, 5, 4]), True)
    """

    gate_names = ElmanGates._fields
    keep_gate = None

    def __init__(self, input_size: int, hidden_size: int, *, options: CellOptions = DEFAULTS) -> None:
        layout = StateLayout(HiddenState, (hidden_size,))
        standard = options.activation in ("tanh", "relu")
        nonlinearity = options.activation if standard else "tanh"
        kernel = nn.RNN(input_size, hidden_size, nonlinearity=nonlinearity, batch_first=True)
        super().__init__(kernel, layout, options, standard=standard)

    def advance(self, projected: Projected, state: HiddenState) -> tuple[HiddenState, ElmanGates]:
        hidden = self.held("candidate", self.activation(precise(projected) + self.recur(state.hidden)))
        return HiddenState(hidden), ElmanGates(hidden)
