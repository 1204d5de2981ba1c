"""The gated recurrent unit."""

from typing import NamedTuple

from torch import Tensor, nn

from seq2seq.layers.recurrent.activations import cell_function, gate_function
from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.kernel import KernelCell
from seq2seq.layers.recurrent.initialization import OPEN_FORGET_GATE, Initialization
from seq2seq.layers.recurrent.regularization import PLAIN, Regularization
from seq2seq.layers.recurrent.state import HiddenState, StateLayout


class GRUGates(NamedTuple):
    """Activations of one step, each as wide as the hidden state."""

    reset: Tensor
    update: Tensor
    candidate: Tensor


class GRUCell(KernelCell):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product, as cuDNN and torch have it.

    h' = z h + (1 - z) g, where r, z = sigmoid of W x + U h + b and g = tanh(W x + b + r (U h + d)).
    """

    gate_names = GRUGates._fields
    memory_gate = "update"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gate_activation: str = "sigmoid",
        activation: str = "tanh",
        initialization: Initialization = OPEN_FORGET_GATE,
        regularization: Regularization = PLAIN,
    ) -> None:
        layout = StateLayout(HiddenState, (hidden_size,))
        kernel, standard = nn.GRU(input_size, hidden_size, batch_first=True), ("sigmoid", "tanh")
        super().__init__(
            kernel, layout, initialization, regularization, standard=(gate_activation, activation) == standard
        )
        self.open, self.squash = gate_function(gate_activation), cell_function(activation)

    def advance(self, projected: Projected, state: HiddenState) -> tuple[HiddenState, GRUGates]:
        (r, z, g), (u_r, u_z, u_g) = projected.chunk(3, -1), self.recur(state.hidden).chunk(3, -1)
        reset, update = self.open(r + u_r), self.open(z + u_z)
        candidate = self.squash(g + reset * u_g)
        hidden = update * state.hidden + (1 - update) * candidate
        return HiddenState(hidden), GRUGates(reset, update, candidate)
