"""Long short-term memory."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.activations import Activation, gate_function
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
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


class Recurrent(NamedTuple):
    """The recurrent weight of a pass, `gates hidden`, and the mask of what it multiplies, `batch hidden`, if any."""

    weight: Tensor
    mask: Tensor | None


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

    @property
    def recordable(self) -> bool:
        """Tell whether `LSTMTape` records the steps: the equations are these, and the fast path is not switched off."""
        return type(self) is LSTMCell and self.fused and self.plain

    def offsets(self, inputs: CellInputs) -> Projected:
        """The input's part of all gates, and both biases, for every step at once."""
        return functional.linear(inputs, self.input_weight, self.bias)

    def recurrent(self, hidden: Tensor) -> "Recurrent":
        """Weights and mask of one pass that begins with a hidden state; in training some of either are dropped."""
        kernel: Any = self.kernel
        mask = self.regularization.mask(hidden) if self.masks else None
        (name,) = self.recurrent_weights
        return Recurrent(self.dropped_weights().get(name, kernel.weight_hh_l0), mask)

    @property
    def input_weight(self) -> Tensor:
        """The matrix that inputs are multiplied by, `gates input`."""
        kernel: Any = self.kernel
        return cast(Tensor, kernel.weight_ih_l0)

    @property
    def bias(self) -> Tensor:
        """The sum of both biases."""
        kernel: Any = self.kernel
        return kernel.bias_ih_l0 + kernel.bias_hh_l0

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        sums = (precise(projected) + self.recur(state.hidden)).chunk(4, -1)
        gates = self.all_held(LSTMGates.from_sums(sums, self.gate_activation, self.activation))
        return gates.state(state.cell, self.activation), gates
