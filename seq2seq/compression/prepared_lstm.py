"""LSTM cells whose step is one prepared product."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seq2seq.compression.bfloat16 import take_over
from seq2seq.compression.prepared import PreparedLinear
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.scan import scan
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.models.input_feeding import Feed
from seq2seq.shapes import BeamFeatures, Context, Ids, Inputs, Outputs, SoftIds, TimeVectors

Make = Callable[..., PreparedLinear]


class PreparedLSTM:
    """A step whose gates are one product of [inputs; hidden], with six passes over the cell after it.

    As tanh x = 2 sigmoid(2 x) - 1, a doubled candidate leaves one sigmoid for all gates, which oneDNN computes with the
    product. Sums that are looked up take the place of the inputs' part where there are some.
    """

    def __init__(self, cell: LSTMCell, make: Make, *between: Tensor) -> None:
        weight, recurrent_weight, input_bias, recurrent_bias = cell.kernel.all_weights[0]
        # (4 hidden, input) beside (4 hidden, memory), if any, beside (4 hidden, hidden)
        joined = doubled(torch.cat([weight, *between, recurrent_weight], 1))
        self.product = make(joined, doubled(input_bias + recurrent_bias), activation="sigmoid")

    def __call__(self, *inputs: Tensor, state: LSTMState) -> LSTMState:
        # (*batch, inputs + hidden) -> (*batch, 4 hidden)
        return stepped(self.product(torch.cat([*inputs, state.hidden], -1)), state)


def doubled(gates: Tensor, axis: int = 0) -> Tensor:
    """The weights or sums of all gates, those of the candidate, third of four, made twice as large in their place."""
    size = gates.shape[axis] // 4
    gates.narrow(axis, 2 * size, size).mul_(2)
    return gates


def stepped(gates: Float[Tensor, "*batch gates"], state: LSTMState) -> LSTMState:
    """The state after a step whose gates were found, where s = (g + 1) / 2 stands for the candidate g.

    c' = f c - i + 2 i s,  h' = o - 2 o sigmoid(-2 c'), which is o tanh(c'), and several times as fast as torch's tanh.
    """
    i, f, s, o = gates.chunk(4, -1)  # four times (*batch, hidden)
    cell = (f * state.cell).sub_(i).addcmul_(i, s, value=2)
    return LSTMState(torch.addcmul(o, o, (cell * -2).sigmoid_(), value=-2), cell)


class PackedLSTMCell(LSTMCell):
    """An LSTM cell whose step is one prepared product; all else stays as it was.

    >>> import torch
    >>> from seq2seq.compression.prepared_lstm import PackedLSTMCell
    >>> from seq2seq.compression.prepared import PlainLinear
    >>> from seq2seq.layers.recurrent.cells.lstm import LSTMCell
    >>> cell, inputs = LSTMCell(3, 4), torch.randn(2, 3)
    >>> plain, packed = (each.step(inputs, each.start(inputs)) for each in (cell, PackedLSTMCell(cell, PlainLinear)))
    >>> torch.allclose(plain.hidden, packed.hidden, atol=1e-5)
    True
    """

    def __init__(self, cell: LSTMCell, make: Make) -> None:
        take_over(self, cell)
        self.packed = PreparedLSTM(cell, make)

    def step(self, inputs: Float[Tensor, "*batch input"], state: Any) -> LSTMState:
        return self.packed(inputs, state=state)

    def unroll(self, inputs: Inputs, state: Any) -> tuple[Outputs, Any]:
        outputs, last, _ = scan(self._packed_step, inputs, state)  # not torch's kernel: to round as a search does
        return outputs, last

    def _packed_step(self, inputs: Float[Tensor, "*batch input"], state: Any) -> tuple[LSTMState, None]:
        return self.step(inputs, state), None


class GateEmbedding(Embedding):
    """An embedding of tokens as what a cell's gates make of their vectors: the product with them is done once for all.

    For `GateLSTMCell`, which adds the hidden state's part.
    """

    def __init__(self, embedding: Embedding, cell: LSTMCell) -> None:
        take_over(self, embedding)
        vectors = self.table.weight[: self.vocabulary_size]
        self.gates = doubled(functional.linear(vectors, cell.input_weight, cell.bias), axis=1)

    @property
    def size(self) -> int:
        return self.gates.shape[1]

    def forward(self, ids: Ids | SoftIds) -> TimeVectors:
        return self.undropped(ids) if isinstance(ids, SoftIds) else self.look_up(ids)

    def look_up(self, ids: Ids) -> TimeVectors:
        return functional.embedding(self.known(ids), self.gates)


class GateLSTMCell(PackedLSTMCell):
    """An LSTM cell that reads its inputs' part of all gates, `*batch gates`, from a `GateEmbedding`.

    >>> import torch
    >>> from seq2seq.compression.prepared import PlainLinear
    >>> from seq2seq.compression.prepared_lstm import GateEmbedding, GateLSTMCell
    >>> from seq2seq.nn import Embedding, LSTMCell
    >>> cell, table, ids = LSTMCell(3, 4), Embedding(9, 3), torch.tensor([[5], [7]])
    >>> ways = (cell, table), (GateLSTMCell(cell, PlainLinear), GateEmbedding(table, cell))
    >>> torch.allclose(*(own.step(read(ids)[:, 0], cell.start(table(ids))).hidden for own, read in ways), atol=1e-5)
    True
    """

    def __init__(self, cell: LSTMCell, make: Make) -> None:
        take_over(self, cell)
        self.product = make(doubled(cell.kernel.all_weights[0][1].clone()), None)

    def step(self, inputs: Float[Tensor, "*batch gates"], state: Any) -> LSTMState:
        return stepped((inputs + self.product(state.hidden)).sigmoid_(), state)


class PackedFeed(Feed):
    """The step of a cell that a context is fed to: one prepared product of [inputs; context; hidden]."""

    def __init__(self, feed: Feed, cell: LSTMCell, make: Make) -> None:
        take_over(self, feed)
        self.packed = PreparedLSTM(cell, make, feed.weight)  # (4 hidden, memory), as an LSTM projects to its gates

    def step(self, cell: Cell, inputs: BeamFeatures, context: Context, state: Any) -> LSTMState:
        return self.packed(inputs, context, state=state)
