"""The gated recurrent unit."""

from typing import NamedTuple

from torch import Tensor, nn

from seq2seq.layers.recurrent.activations import gate_function
from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.fused import FusedCell
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import HiddenState, StateLayout
from seq2seq.precise import precise


class GRUGates(NamedTuple):
    """Activations of one step, each as wide as the hidden state."""

    reset: Tensor
    update: Tensor
    candidate: Tensor


class GRUCell(FusedCell):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product, as cuDNN and torch have it.

    h' = z h + (1 - z) g, where r, z = sigmoid of W x + U h + b and g = tanh(W x + b + r (U h + d)).

    An open update gate keeps the state as it was:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.gru import GRUCell
    >>> from seq2seq.layers.recurrent.state import HiddenState
    >>> cell, state = GRUCell(3, 4), HiddenState(torch.randn(2, 4))
    >>> cell.gates["update"].set_bias(50.0)
    >>> torch.allclose(cell.step(torch.randn(2, 3), state).hidden, state.hidden)
    True
    """

    gate_names = GRUGates._fields
    keep_gate = "update"

    def __init__(self, input_size: int, hidden_size: int, *, options: GatedCellOptions = GATED_DEFAULTS) -> None:
        layout = StateLayout(HiddenState, (hidden_size,))
        kernel, standard = nn.GRU(input_size, hidden_size, batch_first=True), ("sigmoid", "tanh")
        super().__init__(kernel, layout, options, standard=(options.gate_activation, options.activation) == standard)
        self.gate_activation = gate_function(options.gate_activation)

    def advance(self, projected: Projected, state: HiddenState) -> tuple[HiddenState, GRUGates]:
        return self._advance(projected, state, state.hidden)

    def advance_masked(self, projected: Projected, state: HiddenState, mask: Tensor) -> tuple[HiddenState, GRUGates]:
        return self._advance(projected, state, state.hidden * mask)

    def _advance(self, projected: Projected, state: HiddenState, hidden: Tensor) -> tuple[HiddenState, GRUGates]:
        (r, z, g), (u_r, u_z, u_g) = (precise(part).chunk(3, -1) for part in (projected, self.recur(hidden)))
        reset, update = self.gate_activation(r + u_r), self.gate_activation(z + u_z)
        reset, update = self.held("reset", reset), self.held("update", update)
        candidate = self.held("candidate", self.activation(g + reset * u_g))
        after = update * state.hidden + (1 - update) * candidate
        return HiddenState(after), GRUGates(reset, update, candidate)
