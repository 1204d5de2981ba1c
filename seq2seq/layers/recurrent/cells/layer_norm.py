"""The LSTM with normalised sums."""

from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.precise import precise


class LayerNormLSTMCell(LSTMVariant):
    """Layer-normalised long short-term memory (Ba et al. 2016).

    The gates' sums are N(W x) + N(U h) + b and h' = o tanh(N(c')), where each N scales its vector to mean 0 and
    variance 1 and then by gains, and the last one also shifts it. So the scale of inputs matters little:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.layer_norm import LayerNormLSTMCell
    >>> cell, inputs = LayerNormLSTMCell(3, 4), torch.ones(2, 5, 3)
    >>> (once, _), (tenfold, _) = (cell.unroll(values, cell.start(values)) for values in (inputs, 10 * inputs))
    >>> torch.allclose(once, tenfold, atol=0.01)
    True
    """

    def extend(self) -> None:
        self.input_norm = nn.LayerNorm(self.projected_size, bias=False)
        self.recurrent_norm = nn.LayerNorm(self.projected_size, bias=False)
        self.cell_norm = nn.LayerNorm(self.hidden_size)

    def project(self, inputs: CellInputs) -> Projected:
        return _normalized(functional.linear(inputs, self.input_weight), self.input_norm) + self.bias

    def recur(self, hidden: Tensor) -> Projected:
        return _normalized(super().recur(hidden), self.recurrent_norm)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        gates = self.all_held(LSTMGates.from_sums(self.sums(projected, state), self.gate_activation, self.activation))
        return gates.state(state.cell, lambda cell: self.activation(_normalized(cell, self.cell_norm))), gates


def _normalized(values: Tensor, norm: nn.LayerNorm) -> Tensor:
    """The values after a norm in float32, or better."""
    values = precise(values)
    bias = None if norm.bias is None else norm.bias.to(values.dtype)
    return functional.layer_norm(values, norm.normalized_shape, norm.weight.to(values.dtype), bias, norm.eps)
