"""The LSTM with normalised sums."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.precise import precise


class LayerNormLSTMCell(LSTMVariant):
    """Layer-normalised long short-term memory (Ba et al. 2016).

    The gates' sums are N(W x) + N(U h) + b and h' = o tanh(N(c')), where each N scales its vector to mean 0 and
    variance 1 and then by gains, and the last one also shifts it. Means and variances are of `norm_size` units, of
    which those that were pruned count as zeros; at None, of those that there are. Raises UserError where it is below
    that. So the scale of inputs matters little:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.layer_norm import LayerNormLSTMCell
    >>> cell, inputs = LayerNormLSTMCell(3, 4), torch.ones(2, 5, 3)
    >>> (once, _), (tenfold, _) = (cell.unroll(values, cell.start(values)) for values in (inputs, 10 * inputs))
    >>> torch.allclose(once, tenfold, atol=0.01)
    True
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        norm_size: int | None = None,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        super().__init__(input_size, hidden_size, options=options)
        if norm_size is not None and norm_size < hidden_size:
            raise UserError(
                f"norm_size must be at least {hidden_size}, the number of units, or null for it, but is {norm_size}."
            )
        self.absent = 0 if norm_size is None else norm_size - hidden_size

    def extend(self) -> None:
        self.input_norm = nn.LayerNorm(self.projected_size, bias=False)
        self.recurrent_norm = nn.LayerNorm(self.projected_size, bias=False)
        self.cell_norm = nn.LayerNorm(self.hidden_size)

    def project(self, inputs: CellInputs) -> Projected:
        return self._gates_normalized(functional.linear(inputs, self.input_weight), self.input_norm) + self.bias

    def recur(self, hidden: Tensor) -> Projected:
        return self._gates_normalized(super().recur(hidden), self.recurrent_norm)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        gates = self.all_held(LSTMGates.from_sums(self.sums(projected, state), self.gate_activation, self.activation))
        norm, absent = self.cell_norm, self.absent
        return gates.state(state.cell, lambda cell: self.activation(_normalized(cell, norm, absent))), gates

    def _gates_normalized(self, sums: Tensor, norm: nn.LayerNorm) -> Tensor:
        return _normalized(sums, norm, self.absent * len(self.gate_names))


def _normalized(values: Tensor, norm: nn.LayerNorm, absent: int) -> Tensor:
    """The values after a norm, in float32 or better, as if beside so many zeros."""
    values = precise(values)
    weight = norm.weight.to(values.dtype)
    bias = None if norm.bias is None else norm.bias.to(values.dtype)
    if absent == 0:
        return functional.layer_norm(values, norm.normalized_shape, weight, bias, norm.eps)
    size = values.shape[-1] + absent
    mean = values.sum(-1, keepdim=True) / size
    rest = values - mean
    variance = (rest.square().sum(-1, keepdim=True) + absent * mean.square()) / size
    scaled = rest * torch.rsqrt(variance + norm.eps) * weight
    return scaled if bias is None else scaled + bias
