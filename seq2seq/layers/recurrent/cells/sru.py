"""The simple recurrent unit."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.linear import linear
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.light import LightCell
from seq2seq.layers.recurrent.cells.options import LINEAR_DEFAULTS, LinearCellOptions
from seq2seq.layers.recurrent.mixing import mix
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.precise import precise
from seq2seq.shapes import Inputs, Outputs

_SHUT = 50  # the sum that makes a gate 0 or 1 in float32


class SRUGates(NamedTuple):
    """Activations of one step, each as wide as the cell."""

    forget: Tensor
    candidate: Tensor
    reset: Tensor


class SRUCell(LightCell):
    """Simple recurrent unit (Lei et al. 2018), whose gates see each unit's own memory and which has its own highway.

    f, r = sigmoid(W x + v c + b),  g = W x + b,  c' = f c + (1 - f) g,  h' = r c' + (1 - r) a x. In the place of an x
    that is k times as wide is the sum of its k parts / sqrt(k), and of one of any other width S x. The reset gate
    starts with `highway_bias`; to `rescale` is to set a = sqrt(1 + 2 exp(highway_bias)), so that variance stays from
    layer to layer, and else it is 1. Raises UserError at a bias that no training moves.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.sru import SRUCell
    >>> cell, inputs = SRUCell(4, 4, rescale=False), torch.randn(2, 5, 4)
    >>> cell.gates["reset"].set_bias(-50.0)
    >>> torch.allclose(cell.unroll(inputs, cell.start(inputs))[0], inputs)
    True
    """

    gate_names = SRUGates._fields
    stacked_vectors = ("peepholes",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        highway_bias: float = 0.0,
        rescale: bool = True,
        options: LinearCellOptions = LINEAR_DEFAULTS,
    ) -> None:
        if not -_SHUT <= highway_bias <= _SHUT:
            raise UserError(
                f"highway_bias must be between -{_SHUT} and {_SHUT}, where a gate is shut or open for good, "
                f"but is {highway_bias}."
            )
        super().__init__(input_size, hidden_size, options)
        self.projected_size += hidden_size  # the highway's values
        self.scale = math.sqrt(1 + 2 * math.exp(highway_bias)) if rescale else 1.0
        self.parts = 1 if input_size % hidden_size else input_size // hidden_size  # that lie side by side in an input
        self.skip = linear(input_size, hidden_size, bias=False) if input_size % hidden_size else nn.Identity()
        bound = math.sqrt(1.5)  # for a variance of 1/2
        self.peepholes = nn.Parameter(torch.empty(2, hidden_size).uniform_(-bound, bound))  # of forget and reset gate
        self.gates["reset"].set_bias(highway_bias)

    def project(self, inputs: CellInputs) -> Projected:
        return torch.cat([self._sums(inputs), self._beside(inputs)], -1)

    def _sums(self, inputs: Tensor) -> Tensor:
        return precise(self.projection(inputs))

    def _beside(self, inputs: Tensor) -> Tensor:
        first, *others = precise(self.skip(inputs)).chunk(self.parts, -1)
        return sum(others, first) * (self.scale / math.sqrt(self.parts))

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, SRUGates]:
        f, g, r, beside = precise(projected).chunk(4, -1)
        to_forget, to_reset = self.held("peepholes", precise(self.peepholes))
        forget, reset = (
            torch.addcmul(sums, weight, state.cell).sigmoid() for sums, weight in ((f, to_forget), (r, to_reset))
        )
        forget, reset = self.held("forget", forget), self.held("reset", reset)
        candidate = self.held("candidate", self.activation(g))
        cell = torch.lerp(candidate, state.cell, forget)
        return LSTMState(torch.lerp(beside, self.activation(cell), reset), cell), SRUGates(forget, candidate, reset)

    def run(self, inputs: Inputs, memory: Tensor) -> tuple[Outputs, Tensor]:
        to_forget, to_reset = precise(self.peepholes)
        before, cells, (r,) = mix(self._sums(inputs), memory, self.activation, weight=to_forget)
        reset = torch.addcmul(r, to_reset, before).sigmoid()
        return torch.lerp(self._beside(inputs), self.activation(cells), reset), cells[-1]
