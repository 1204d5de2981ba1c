"""The LSTM with one gate for what goes and what comes."""

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.state import LSTMState


class CoupledLSTMCell(LSTMVariant):
    """Coupled input and forget gate (Greff et al. 2017, "CIFG"): as much is let in as is let go.

    c' = f c + (1 - f) g,  h' = o tanh(c').
    """

    gate_names = ("forget", "candidate", "output")

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        f, g, o = self.sums(projected, state)
        forget = self.gate_activation(f)
        gates = LSTMGates(1 - forget, forget, self.activation(g), self.gate_activation(o))
        return gates.state(state.cell, self.activation), gates
