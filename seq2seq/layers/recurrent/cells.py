"""The LSTM family. A cell maps one projected input and a state to the next state, and shows its gates."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.initialization import initialize_input, initialize_recurrent
from seq2seq.shapes import Sequence

Projected = Float[Tensor, "batch gates"]


class LSTMState(NamedTuple):
    """What one step hands the next, each `batch hidden`."""

    hidden: Tensor
    cell: Tensor


class LSTMGates(NamedTuple):
    """Activations of one step, each `batch hidden`."""

    input: Tensor
    forget: Tensor
    candidate: Tensor
    output: Tensor


class Cell(nn.Module, ABC):
    """One recurrent layer in one direction."""

    input_size: int
    hidden_size: int
    projected_size: int

    @abstractmethod
    def project(self, inputs: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch gates"]:
        """The input's part of all gates, for every step at once."""

    @abstractmethod
    def forward(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        """One step."""

    @abstractmethod
    def unroll(self, inputs: Sequence, state: LSTMState) -> Sequence:
        """The hidden states of all steps, by the fastest path there is."""

    @abstractmethod
    def start(self, like: Tensor) -> LSTMState:
        """The zero state for a batch as long, on the device and of the type of `like`."""


class LSTMCell(Cell):
    """Long short-term memory with a forget gate (Gers et al. 2000).

    c' = f c + i g,  h' = o tanh(c'), where i, f, o = sigmoid and g = tanh of W x + U h + b.
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.projected_size = 4 * hidden_size
        # Holds the parameters for both paths: torch's fused kernel and the visible equations below.
        self.kernel = nn.LSTM(input_size, hidden_size, batch_first=True)
        initialize_input(self.kernel.weight_ih_l0, hidden_size)
        initialize_recurrent(self.kernel.weight_hh_l0, hidden_size)
        nn.init.zeros_(self.kernel.bias_hh_l0)
        nn.init.zeros_(self.kernel.bias_ih_l0)
        self.kernel.bias_ih_l0.data[hidden_size : 2 * hidden_size] = forget_bias

    def project(self, inputs: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch gates"]:
        bias = self.kernel.bias_ih_l0 + self.kernel.bias_hh_l0
        return functional.linear(inputs, self.kernel.weight_ih_l0, bias)

    def forward(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        sums = projected + functional.linear(state.hidden, self.kernel.weight_hh_l0)
        i, f, g, o = sums.chunk(4, -1)
        gates = LSTMGates(i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid())
        cell = gates.forget * state.cell + gates.input * gates.candidate
        return LSTMState(gates.output * cell.tanh(), cell), gates

    def unroll(self, inputs: Sequence, state: LSTMState) -> Sequence:
        initial = (state.hidden.unsqueeze(0).to(inputs.dtype), state.cell.unsqueeze(0).to(inputs.dtype))
        outputs, _ = self.kernel(inputs, initial)
        return outputs

    def start(self, like: Tensor) -> LSTMState:
        zeros = like.new_zeros(len(like), self.hidden_size)
        return LSTMState(zeros, zeros)
