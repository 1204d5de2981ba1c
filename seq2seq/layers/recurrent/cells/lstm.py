"""Long short-term memory."""

from typing import NamedTuple

from torch import Tensor, nn

from seq2seq.layers.recurrent.activations import Activation, cell_function, gate_function
from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.kernel import KernelCell
from seq2seq.layers.recurrent.initialization import OPEN_FORGET_GATE, Initialization
from seq2seq.layers.recurrent.regularization import PLAIN, Regularization
from seq2seq.layers.recurrent.state import LSTMState, StateLayout


class LSTMGates(NamedTuple):
    """Activations of one step, each as wide as the cell."""

    input: Tensor
    forget: Tensor
    candidate: Tensor
    output: Tensor

    def state(self, memory: Tensor, squash: Activation) -> LSTMState:
        """What they make of the memory: c' = f c + i g,  h' = o squash(c')."""
        cell = self.forget * memory + self.input * self.candidate
        return LSTMState(self.output * squash(cell), cell)


class LSTMCell(KernelCell):
    """Long short-term memory with a forget gate (Gers et al. 2000).

    c' = f c + i g,  h' = o tanh(c'), where i, f, o = sigmoid and g = tanh of W x + U h + b.
    """

    gate_names = LSTMGates._fields

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
        layout = StateLayout(LSTMState, (hidden_size, hidden_size))
        kernel, standard = nn.LSTM(input_size, hidden_size, batch_first=True), ("sigmoid", "tanh")
        super().__init__(
            kernel, layout, initialization, regularization, standard=(gate_activation, activation) == standard
        )
        self.open, self.squash = gate_function(gate_activation), cell_function(activation)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        i, f, g, o = (projected + self.recur(state.hidden)).chunk(4, -1)
        gates = LSTMGates(self.open(i), self.open(f), self.squash(g), self.open(o))
        return gates.state(state.cell, self.squash), gates
