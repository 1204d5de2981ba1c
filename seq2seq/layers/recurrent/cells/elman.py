"""The simple recurrent network."""

from typing import NamedTuple

from torch import Tensor, nn

from seq2seq.layers.recurrent.activations import cell_function
from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.kernel import KernelCell
from seq2seq.layers.recurrent.initialization import MATRICES, Initialization
from seq2seq.layers.recurrent.regularization import PLAIN, Regularization
from seq2seq.layers.recurrent.state import HiddenState, StateLayout


class ElmanGates(NamedTuple):
    """It has none: only what becomes the hidden state."""

    candidate: Tensor


class ElmanCell(KernelCell):
    """h' = tanh(W x + U h + b) (Elman 1990), or with relu or identity in the place of tanh."""

    gate_names = ElmanGates._fields
    memory_gate = None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        initialization: Initialization = MATRICES,
        regularization: Regularization = PLAIN,
    ) -> None:
        layout = StateLayout(HiddenState, (hidden_size,))
        standard = activation in ("tanh", "relu")
        kernel = nn.RNN(input_size, hidden_size, nonlinearity=activation if standard else "tanh", batch_first=True)
        super().__init__(kernel, layout, initialization, regularization, standard=standard)
        self.squash = cell_function(activation)

    def advance(self, projected: Projected, state: HiddenState) -> tuple[HiddenState, ElmanGates]:
        hidden = self.squash(projected + self.recur(state.hidden))
        return HiddenState(hidden), ElmanGates(hidden)
