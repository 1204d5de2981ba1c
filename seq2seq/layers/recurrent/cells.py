"""The LSTM family. A cell maps one projected input and a state to the next state, and shows its gates."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.initialization import initialize_input, initialize_recurrent
from seq2seq.shapes import Inputs, Outputs

Projected = Float[Tensor, "*batch gates"]


class LSTMState(NamedTuple):
    """What one step hands the next, each `*batch hidden`."""

    hidden: Tensor
    cell: Tensor


class LSTMGates(NamedTuple):
    """Activations of one step, each `*batch hidden`."""

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

    def step(self, inputs: Float[Tensor, "*batch input"], state: LSTMState) -> LSTMState:
        """One step from the input itself; the given state stays as it is."""
        return self(self.project(inputs), state)[0]

    @abstractmethod
    def unroll(self, inputs: Inputs, state: LSTMState) -> Outputs:
        """The hidden states of all steps, by the fastest path there is."""

    @abstractmethod
    def start(self, like: Tensor) -> LSTMState:
        """The zero state for a batch as long, on the device and of the type of `like`."""


class Cells(nn.ModuleList):
    """Cells one above the other."""

    @classmethod
    def stack(cls, cell: Callable[[int, int], Cell], input_size: int, hidden_size: int, num_layers: int) -> "Cells":
        """Each but the bottom one reads the hidden states below."""
        if num_layers < 1:
            raise UserError(f"num_layers must be at least 1, but is {num_layers}.")
        return cls(cell(size, hidden_size) for size in [input_size, *[hidden_size] * (num_layers - 1)])

    def __iter__(self) -> Iterator[Cell]:
        return cast(Iterator[Cell], super().__iter__())

    @property
    def bottom(self) -> Cell:
        return next(iter(self))


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
        input_weight, recurrent_weight, input_bias, recurrent_bias = self.kernel.all_weights[0]
        initialize_input(input_weight, hidden_size)
        initialize_recurrent(recurrent_weight, hidden_size)
        nn.init.zeros_(recurrent_bias)
        nn.init.zeros_(input_bias)
        input_bias.data[hidden_size : 2 * hidden_size] = forget_bias

    def project(self, inputs: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch gates"]:
        weight, _, input_bias, recurrent_bias = self.kernel.all_weights[0]
        return functional.linear(inputs, weight, input_bias + recurrent_bias)

    def forward(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        sums = projected + functional.linear(state.hidden, self.kernel.all_weights[0][1])
        i, f, g, o = sums.chunk(4, -1)
        gates = LSTMGates(i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid())
        cell = gates.forget * state.cell + gates.input * gates.candidate
        return LSTMState(gates.output * cell.tanh(), cell), gates

    def unroll(self, inputs: Inputs, state: LSTMState) -> Outputs:
        initial = (state.hidden.unsqueeze(0).to(inputs.dtype), state.cell.unsqueeze(0).to(inputs.dtype))
        outputs, _ = self.kernel(inputs, initial)
        return outputs

    def start(self, like: Tensor) -> LSTMState:
        zeros = like.new_zeros(len(like), self.hidden_size)
        return LSTMState(zeros, zeros)
