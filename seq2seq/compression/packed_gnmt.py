"""A GNMT decoder for beams: products with contexts are done once for a source, not for each hypothesis and step."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.compression.bfloat16 import take_over
from seq2seq.compression.prepared_gates import Make, PackableCell, doubled, gate_product, input_matrix, packable
from seq2seq.compression.prepared_lstm import PackedCell, stepped
from seq2seq.layers.attention.attention import Memory, ScoredAttention
from seq2seq.layers.recurrent.cells.cell import Cells
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.models.decoder import Decoder, GNMTDecoder, States
from seq2seq.models.readout import Readout
from seq2seq.shapes import (
    BeamFeatures,
    BeamWeights,
    BeamWritten,
    Context,
    Features,
    Outputs,
    SourceMask,
    Values,
)

BeamOutputs = Float[Tensor, "batch beam hidden"]


class BeamGNMTDecoder(GNMTDecoder):
    """A GNMT decoder whose memory holds, of every value, what the upper layers and the readout make of it.

    A context is a mean of values v by weights w, so that its product W c is the sum of w (W v): where many hypotheses
    read one source that is less to compute. Values and contexts are rows of parts, one for each upper layer and one for
    the readout.
    """

    def __init__(self, decoder: GNMTDecoder, named: Callable[[str], Make]) -> None:
        take_over(self, decoder)
        size, parts, start = decoder.bottom.hidden_size, [], 0
        cells = Cells()
        for depth, cell in enumerate(decoder.upper):
            assert packable(cell)
            parts.append(doubled(input_matrix(cell, slice(size, None))))
            cells.append(PartLSTMCell(cell, named(f"decoder.upper.{depth}.part"), slice(start, start + len(parts[-1]))))
            start += len(parts[-1])
        readout = PartReadout(decoder.readout, named("decoder.readout.part"), size, slice(start, None))
        self._modules = {**self._modules, "upper": cells, "readout": readout}
        self.of_values = named("decoder.values")(torch.cat([*parts, decoder.readout.projection.weight[:, size:]]), None)

    def remember(self, values: Values, mask: SourceMask) -> Memory:
        memory = super().remember(values, mask)
        return memory._replace(values=self.of_values(values))

    def step(self, ids: BeamWritten, memory: Memory, states: States) -> tuple[BeamFeatures, BeamWeights, States]:
        after = [self.bottom.step(self.embedding(ids), states.layers[0])]
        hidden = after[0].hidden
        assert isinstance(self.attention, ScoredAttention)
        assert isinstance(self.readout, PartReadout)
        weights = self.attention.weights(self.attention.score(hidden, memory), memory.readable)
        read = weights.to(memory.values.dtype), memory.values
        for depth, (cell, state) in enumerate(zip(self.upper, states.layers[1:], strict=True)):
            assert isinstance(cell, PartLSTMCell)
            after.append(cell.read(hidden, state, *read))
            hidden = after[-1].hidden + hidden if depth > 0 else after[-1].hidden
        return self.readout.read(hidden, *read), weights, States(tuple(after), states.attention)


class PartLSTMCell(PackedCell):
    """An upper cell that adds its part of a context to its gates.

    >>> import torch
    >>> from seq2seq.compression.packed_gnmt import PartLSTMCell
    >>> from seq2seq.compression.prepared import PlainLinear
    >>> from seq2seq.nn import LSTMCell
    >>> cell, below, none = LSTMCell(4 + 3, 4), torch.randn(2, 4), torch.zeros(2, 3)  # reads 4 outputs, and a context
    >>> ways = (cell, none), (PartLSTMCell(cell, PlainLinear, slice(16)), torch.zeros(2, 16))
    >>> torch.allclose(*(own.step(torch.cat([below, c], 1), cell.start(below)).hidden for own, c in ways), atol=1e-5)
    True
    """

    def __init__(self, cell: PackableCell, make: Make, part: slice) -> None:
        super().__init__(cell)
        self.part = part
        self.product = gate_product(cell, make, columns=slice(cell.hidden_size))

    def read(self, below: BeamOutputs, state: Any, weights: BeamWeights, values: Values) -> LSTMState:
        """The state after a step that reads outputs from below, and the values by their weights."""
        sums = self.product(below, state.hidden)
        return stepped(torch.baddbmm(sums, weights, values[..., self.part]).sigmoid_(), state)

    def step(self, inputs: Float[Tensor, "*batch size"], state: Any) -> LSTMState:
        below, context = inputs[..., : self.hidden_size], inputs[..., self.hidden_size :]
        sums = self.product(below, state.hidden)
        return stepped((sums + context[..., self.part]).sigmoid_(), state)


class PartReadout(Readout):
    """A readout that adds its part of a context."""

    def __init__(self, readout: Readout, make: Make, hidden_size: int, part: slice) -> None:
        take_over(self, readout)
        self.part = part
        self.product = make(readout.projection.weight[:, :hidden_size].clone(), readout.projection.bias)

    def read(self, hidden: BeamOutputs, weights: BeamWeights, values: Values) -> BeamFeatures:
        """Features of hidden states, and of the values by their weights."""
        return torch.baddbmm(self.product(hidden), weights, values[..., self.part]).tanh_()

    def forward(self, hidden: Outputs, context: Context) -> Features:
        return (self.product(hidden) + context[..., self.part]).tanh_()


def reads_means(decoder: Decoder) -> bool:
    """Tell whether a decoder is one whose every use of a context is a product with a mean of the memory's values."""
    if type(decoder) is not GNMTDecoder:
        return False
    return all(packable(cell) for cell in decoder.upper) and type(decoder.attention).forward is ScoredAttention.forward
