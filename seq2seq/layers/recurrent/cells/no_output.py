"""The LSTM without an output gate."""

from typing import NamedTuple

from torch import Tensor

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.state import LSTMState


class NoOutputGates(NamedTuple):
    """Activations of one step, each as wide as the cell."""

    input: Tensor
    forget: Tensor
    candidate: Tensor


class NoOutputLSTMCell(LSTMVariant):
    """Long short-term memory that always shows its cell (Greff et al. 2017, "NOG").

    c' = f c + i g,  h' = tanh(c').

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.no_output import NoOutputLSTMCell
    >>> cell, inputs = NoOutputLSTMCell(3, 4), torch.randn(2, 5, 3)
    >>> outputs, last = cell.unroll(inputs, cell.start(inputs))
    >>> torch.equal(last.hidden, last.cell.tanh())
    True
    """

    gate_names = NoOutputGates._fields

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, NoOutputGates]:
        i, f, g = self.sums(projected, state)
        gates = self.all_held(NoOutputGates(self.gate_activation(i), self.gate_activation(f), self.activation(g)))
        cell = gates.forget * state.cell + gates.input * gates.candidate
        return LSTMState(self.activation(cell), cell), gates
