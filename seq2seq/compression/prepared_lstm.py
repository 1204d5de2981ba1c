"""LSTM cells whose step is prepared products."""

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seq2seq.compression.bfloat16 import take_over
from seq2seq.compression.prepared_gates import NONE, Make, PackableCell, doubled, gate_product, input_matrix
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.gate_view import GateView
from seq2seq.layers.recurrent.scan import scan
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.models.input_feeding import Feed
from seq2seq.shapes import BeamFeatures, Context, Ids, Inputs, Outputs, SoftIds, TimeVectors


class PreparedLSTM:
    """A step whose gates are one product of [inputs; hidden], with six passes over the cell after it.

    As tanh x = 2 sigmoid(2 x) - 1, a doubled candidate leaves one sigmoid for all gates, which oneDNN computes with the
    product. Sums that are looked up take the place of the inputs' part where there are some. A cell of low rank has a
    product with each factor before.
    """

    def __init__(self, cell: PackableCell, make: Make, *between: Tensor) -> None:
        # (4 hidden, input) beside (4 hidden, memory), if any, beside (4 hidden, hidden)
        self.product = gate_product(cell, make, between=between, activation="sigmoid")

    def __call__(self, *inputs: Tensor, state: LSTMState) -> LSTMState:
        # (*batch, inputs + hidden) -> (*batch, 4 hidden)
        return stepped(self.product(*inputs, state.hidden), state)


def stepped(gates: Float[Tensor, "*batch gates"], state: LSTMState) -> LSTMState:
    """The state after a step whose gates were found, where s = (g + 1) / 2 stands for the candidate g.

    c' = f c - i + 2 i s,  h' = o - 2 o sigmoid(-2 c'), which is o tanh(c'), and several times as fast as torch's tanh.
    """
    i, f, s, o = gates.chunk(4, -1)  # four times (*batch, hidden)
    cell = (f * state.cell).sub_(i).addcmul_(i, s, value=2)
    return LSTMState(torch.addcmul(o, o, (cell * -2).sigmoid_(), value=-2), cell)


class PackedCell(Cell):
    """A cell whose step is prepared products; all else is the plain cell's, its parameters included."""

    def __init__(self, cell: PackableCell) -> None:
        take_over(self, cell)
        self._plain = (cell,)  # which is no part of its own, but all that is in it

    @abstractmethod
    def step(self, inputs: CellInputs, state: Any) -> Any:
        """Next state, by prepared products."""

    @property
    def gates(self) -> dict[str, GateView]:
        return self._plain[0].gates

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return self._plain[0].recurrent_weights

    def project(self, inputs: CellInputs) -> Projected:
        return self._plain[0].project(inputs)

    def advance(self, projected: Projected, state: Any) -> tuple[LSTMState, Any]:
        return self._plain[0].advance(projected, state)

    def unroll(self, inputs: Inputs, state: Any) -> tuple[Outputs, Any]:
        outputs, last, _ = scan(self._packed_step, inputs, state)  # not torch's kernel: to round as a search does
        return outputs, last

    def _packed_step(self, inputs: CellInputs, state: Any) -> tuple[Any, None]:
        return self.step(inputs, state), None


class PackedLSTMCell(PackedCell):
    """An LSTM cell, of full or of low rank, by prepared products of its inputs and its hidden state.

    >>> import torch
    >>> from seq2seq.compression.prepared_lstm import PackedLSTMCell
    >>> from seq2seq.compression.prepared import PlainLinear
    >>> from seq2seq.layers.recurrent.cells.lstm import LSTMCell
    >>> cell, inputs = LSTMCell(3, 4), torch.randn(2, 3)
    >>> plain, packed = (each.step(inputs, each.start(inputs)) for each in (cell, PackedLSTMCell(cell, PlainLinear)))
    >>> torch.allclose(plain.hidden, packed.hidden, atol=1e-5)
    True
    """

    def __init__(self, cell: PackableCell, make: Make) -> None:
        super().__init__(cell)
        self.packed = PreparedLSTM(cell, make)

    def step(self, inputs: CellInputs, state: Any) -> LSTMState:
        return self.packed(inputs, state=state)


class GateEmbedding(Embedding):
    """An embedding of tokens as what a cell's gates make of their vectors: the product with them is done once for all.

    For `GateLSTMCell`, which adds the hidden state's part.
    """

    def __init__(self, embedding: Embedding, cell: PackableCell) -> None:
        take_over(self, embedding)
        vectors = self.table.weight[: self.vocabulary_size]
        self.gates = doubled(functional.linear(vectors, input_matrix(cell), cell.bias), axis=1)

    @property
    def size(self) -> int:
        return self.gates.shape[1]

    def forward(self, ids: Ids | SoftIds) -> TimeVectors:
        return self.undropped(ids) if isinstance(ids, SoftIds) else self.look_up(ids)

    def look_up(self, ids: Ids) -> TimeVectors:
        return functional.embedding(self.known(ids), self.gates)


class GateLSTMCell(PackedCell):
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

    def __init__(self, cell: PackableCell, make: Make) -> None:
        super().__init__(cell)
        self.product = gate_product(cell, make, columns=NONE)

    def step(self, inputs: CellInputs, state: Any) -> LSTMState:
        return stepped((inputs + self.product(state.hidden)).sigmoid_(), state)


class PackedFeed(Feed):
    """The step of a cell that a context is fed to: one prepared product of [inputs; context; hidden]."""

    def __init__(self, feed: Feed, cell: PackableCell, make: Make) -> None:
        take_over(self, feed)
        self.packed = PreparedLSTM(cell, make, feed.weight)  # (4 hidden, memory), as an LSTM projects to its gates

    def step(self, cell: Cell, inputs: BeamFeatures, context: Context, state: Any) -> LSTMState:
        return self.packed(inputs, context, state=state)
