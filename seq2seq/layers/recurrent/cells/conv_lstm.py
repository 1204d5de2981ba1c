"""The LSTM over pictures."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.activations import gate_function
from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.gate_view import GateView, gate_views
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise

PADDING = {"zeros": "constant", "circular": "circular", "replicate": "replicate"}  # as torch.nn and as functional.pad
Picture = Float[Tensor, "pictures channels height width"]


class ConvLSTMCell(Cell):
    """Long short-term memory whose products are convolutions over pictures (Shi et al. 2015).

    i, f, o = sigmoid and g = tanh of W * X + U * H + b,  C' = f C + i g,  H' = o tanh(C'). A vector is a picture,
    channel by channel and each row by row, so that there are hidden_size / (height width) channels; a bias is of a
    channel. With `peepholes`, which start at zero, i and f also see p C and o sees p C'. Beyond the picture is 0
    (`zeros`), its other side (`circular`) or its edge (`replicate`). Raises UserError where sizes are not of pictures.

    The input shifted is the output shifted, where a picture goes on at its other side:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.conv_lstm import ConvLSTMCell
    >>> cell, inputs = ConvLSTMCell(12, 24, height=3, width=4, padding_mode="circular"), torch.randn(2, 5, 12)
    >>> outputs = cell.unroll(inputs, cell.start(inputs))[0]
    >>> shifted = inputs.view(2, 5, 1, 3, 4).roll(1, -1).flatten(2)
    >>> found = cell.unroll(shifted, cell.start(shifted))[0]
    >>> torch.allclose(found, outputs.view(2, 5, 2, 3, 4).roll(1, -1).flatten(2), atol=1e-6)
    True
    """

    stacked_vectors = ("peepholes",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        height: int = 1,
        width: int = 1,
        kernel_size: int = 3,
        padding_mode: str = "zeros",
        peepholes: bool = False,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        _check(height, width, kernel_size, padding_mode)
        channels = _channels("hidden_size", hidden_size, height, width)
        reads = _channels("input_size", input_size, height, width)
        super().__init__(input_size, 4 * hidden_size, StateLayout(LSTMState, (hidden_size, hidden_size)), options)
        self.picture, self.padding_mode, self.reuse = (height, width), padding_mode, height * width
        self.gate_activation = gate_function(options.gate_activation)
        self.input_weight = nn.Parameter(torch.empty(4 * channels, reads, kernel_size, kernel_size))
        self.recurrent_weight = nn.Parameter(torch.empty(4 * channels, channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(4 * channels))
        self.peepholes = nn.Parameter(torch.zeros(3, hidden_size)) if peepholes else None  # of input, forget, output
        self.initialize(options)

    @property
    def gates(self) -> dict[str, GateView]:
        sizes = dict.fromkeys(LSTMGates._fields, len(self.bias) // 4)
        return gate_views(sizes, self.input_weight, self.recurrent_weight, self.bias)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_weight",)

    def project(self, inputs: CellInputs) -> Projected:
        return self._convolved(inputs, self.input_weight, self.bias)

    def recur(self, hidden: Tensor) -> Projected:
        """The hidden state's part of all gates, `*batch gates`."""
        return self._convolved(hidden, self.recurrent_weight, None)

    def _convolved(self, vectors: Tensor, weight: Tensor, bias: Tensor | None) -> Projected:
        """Sums over the neighbours of every place, `*batch gates`, of vectors that are pictures."""
        pictures: Picture = vectors.reshape(-1, weight.shape[1], *self.picture)
        margin = weight.shape[-1] // 2
        padded = functional.pad(pictures, [margin] * 4, PADDING[self.padding_mode])
        return functional.conv2d(padded, weight, bias).view(*vectors.shape[:-1], self.projected_size)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        i, f, g, o = (precise(projected) + self.recur(state.hidden)).chunk(4, -1)
        memory, gate = state.cell, self.gate_activation
        peepholes = None if self.peepholes is None else self.held("peepholes", self.peepholes)
        if peepholes is not None:
            i, f = i + peepholes[0] * memory, f + peepholes[1] * memory
        input, forget = self.held("input", gate(i)), self.held("forget", gate(f))
        candidate = self.held("candidate", self.activation(g))
        cell = forget * memory + input * candidate
        if peepholes is not None:
            o = o + peepholes[2] * cell  # the new memory
        gates = LSTMGates(input, forget, candidate, self.held("output", gate(o)))
        return LSTMState(gates.output * self.activation(cell), cell), gates


def _channels(name: str, size: int, height: int, width: int) -> int:
    """The number of channels of vectors of a size. Raises UserError where they are no pictures."""
    if size % (height * width):
        raise UserError(
            f"height x width must divide {name}, as vectors are pictures of some channels, but {height} x {width} = "
            f"{height * width} does not divide {size}: choose another size of pictures, or {name} a multiple of it."
        )
    return size // (height * width)


def _check(height: int, width: int, kernel_size: int, padding_mode: str) -> None:
    for name, value in (("height", height), ("width", width)):
        if value < 1:
            raise UserError(f"{name} must be at least 1, but is {value}.")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise UserError(f"kernel_size must be odd and at least 1, so that it has a middle, but is {kernel_size}.")
    if padding_mode not in PADDING:
        raise UserError(f"padding_mode must be one of {', '.join(PADDING)}, but is {padding_mode!r}.")
    most = 2 * min(height, width) + 1
    if padding_mode == "circular" and kernel_size > most:
        raise UserError(
            f"kernel_size must be at most {most} for circular padding of pictures of {height} x {width}, which would "
            f"else be gone round twice, but is {kernel_size}."
        )
