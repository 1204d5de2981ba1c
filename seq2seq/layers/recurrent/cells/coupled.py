"""The LSTM with one gate for what goes and what comes."""

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.state import LSTMState


class CoupledLSTMCell(LSTMVariant):
    """LSTM with coupled input and forget gate (Greff et al. 2017, "CIFG"): as much is let in as is let go.

    c' = f c + (1 - f) g,  h' = o tanh(c').

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.coupled import CoupledLSTMCell
    >>> cell, inputs = CoupledLSTMCell(3, 4), torch.randn(2, 3)
    >>> state, gates = cell(cell.project(inputs), cell.start(inputs))
    >>> torch.allclose(gates.input + gates.forget, torch.ones(2, 4))
    True
    """

    gate_names = ("forget", "candidate", "output")

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        f, g, o = self.sums(projected, state)
        forget = self.held("forget", self.gate_activation(f))
        candidate, output = self.held("candidate", self.activation(g)), self.held("output", self.gate_activation(o))
        gates = LSTMGates(1 - forget, forget, candidate, output)
        return gates.state(state.cell, self.activation), gates
