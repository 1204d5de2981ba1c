"""The LSTM whose gates see its cell."""

import torch
from torch import nn

from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.state import LSTMState


class PeepholeLSTMCell(LSTMVariant):
    """Long short-term memory with peepholes (Gers & Schmidhuber 2000; Graves 2013), which start at zero.

    i and f also see p c, o sees p c', by a weight p for each unit and gate; else as the LSTM.

    With peepholes open, a full memory opens the input gate:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.peephole import PeepholeLSTMCell
    >>> from seq2seq.layers.recurrent.state import LSTMState
    >>> cell, state = PeepholeLSTMCell(3, 2), LSTMState(torch.zeros(1, 2), cell=torch.ones(1, 2))
    >>> for weight in (0.0, 50.0):
    ...     _ = torch.nn.init.constant_(cell.peepholes, weight)
    ...     print(cell(cell.project(torch.zeros(1, 3)), state)[1].input.tolist())
    [[0.5, 0.5]]
    [[1.0, 1.0]]
    """

    stacked_vectors = ("peepholes",)

    def extend(self) -> None:
        self.peepholes = nn.Parameter(torch.zeros(3, self.hidden_size))  # of the input, forget and output gate

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        i, f, g, o = self.sums(projected, state)
        to_input, to_forget, to_output = self.held("peepholes", self.peepholes)
        input = self.held("input", self.gate_activation(i + to_input * state.cell))
        forget = self.held("forget", self.gate_activation(f + to_forget * state.cell))
        candidate = self.held("candidate", self.activation(g))
        cell = forget * state.cell + input * candidate
        output = self.held("output", self.gate_activation(o + to_output * cell))
        return LSTMState(output * self.activation(cell), cell), LSTMGates(input, forget, candidate, output)
