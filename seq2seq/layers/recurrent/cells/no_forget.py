"""The LSTM as it first was."""

from typing import NamedTuple

from torch import Tensor

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.state import LSTMState


class NoForgetGates(NamedTuple):
    """Activations of one step, each as wide as the cell."""

    input: Tensor
    candidate: Tensor
    output: Tensor


class NoForgetLSTMCell(LSTMVariant):
    """Long short-term memory without forget gate (Hochreiter & Schmidhuber 1997): nothing is ever let go.

    c' = c + i g,  h' = o tanh(c').
    """

    gate_names = NoForgetGates._fields
    keep_gate = None

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, NoForgetGates]:
        i, g, o = self.sums(projected, state)
        gates = NoForgetGates(self.gate_activation(i), self.activation(g), self.gate_activation(o))
        cell = state.cell + gates.input * gates.candidate
        return LSTMState(gates.output * self.activation(cell), cell), gates
