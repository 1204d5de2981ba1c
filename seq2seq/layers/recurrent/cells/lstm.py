"""Long short-term memory."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from seq2seq.layers.recurrent.activations import Activation, gate_function
from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.fused import FusedCell
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise


class LSTMGates(NamedTuple):
    """Activations of one step, each as wide as the cell."""

    input: Tensor
    forget: Tensor
    candidate: Tensor
    output: Tensor

    @classmethod
    def from_sums(cls, sums: Sequence[Tensor], gate_activation: Activation, activation: Activation) -> "LSTMGates":
        """The gates that sums make, which are in the order of the fields."""
        i, f, g, o = sums
        return cls(gate_activation(i), gate_activation(f), activation(g), gate_activation(o))

    def state(self, memory: Tensor, activation: Activation) -> LSTMState:
        """The next state from the memory: c' = f c + i g,  h' = o activation(c')."""
        cell = self.forget * memory + self.input * self.candidate
        return LSTMState(self.output * activation(cell), cell)


class LSTMCell(FusedCell):
    """Long short-term memory with a forget gate (Gers et al. 2000).

    c' = f c + i g,  h' = o tanh(c'), where i, f, o = sigmoid and g = tanh of W x + U h + b.

    All steps by torch's kernel are as many steps by these equations:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.lstm import LSTMCell
    >>> cell, inputs = LSTMCell(3, 4), torch.randn(2, 5, 3)
    >>> (outputs, last), state = cell.unroll(inputs, cell.start(inputs)), cell.start(inputs)
    >>> for now in inputs.unbind(1):
    ...     state = cell.step(now, state)
    >>> outputs.shape, torch.allclose(last.cell, state.cell, atol=1e-5)
    (torch.Size([2, 5, 4]), True)
    """

    gate_names = LSTMGates._fields

    def __init__(self, input_size: int, hidden_size: int, *, options: GatedCellOptions = GATED_DEFAULTS) -> None:
        layout = StateLayout(LSTMState, (hidden_size, hidden_size))
        kernel, standard = nn.LSTM(input_size, hidden_size, batch_first=True), ("sigmoid", "tanh")
        super().__init__(kernel, layout, options, standard=(options.gate_activation, options.activation) == standard)
        self.gate_activation = gate_function(options.gate_activation)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        sums = (precise(projected) + self.recur(state.hidden)).chunk(4, -1)
        gates = LSTMGates.from_sums(sums, self.gate_activation, self.activation)
        return gates.state(state.cell, self.activation), gates
