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

    With everything let in it counts its steps:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.no_forget import NoForgetLSTMCell
    >>> cell, inputs = NoForgetLSTMCell(3, 2), torch.ones(1, 5, 3)
    >>> for name in ("input", "candidate"):
    ...     cell.gates[name].set_bias(50.0)
    >>> cell.unroll(inputs, cell.start(inputs))[1].cell.tolist()
    [[5.0, 5.0]]
    """

    gate_names = NoForgetGates._fields
    keep_gate = None

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, NoForgetGates]:
        i, g, o = self.sums(projected, state)
        gates = self.all_held(NoForgetGates(self.gate_activation(i), self.activation(g), self.gate_activation(o)))
        cell = state.cell + gates.input * gates.candidate
        return LSTMState(gates.output * self.activation(cell), cell), gates
