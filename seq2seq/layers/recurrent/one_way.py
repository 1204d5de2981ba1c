"""The layer that reads from left to right alone, and so reads streams."""

from collections.abc import Callable

import torch
from torch import Tensor

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.chunks import check_chunks, unroll_chunks
from seq2seq.layers.recurrent.layer import Advanced, StreamingLayer, runs_by_loop, unroll_masked, unroll_within
from seq2seq.layers.recurrent.state import State
from seq2seq.masking import last_within
from seq2seq.shapes import Inputs, Lengths, Outputs, RowMask, Vectors


class OneWayLayer(StreamingLayer):
    """A cell that reads forwards; its state is all that is kept of a stream.

    However a stream is cut, each step's output is the same:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.lstm import LSTMCell
    >>> layer, inputs, lengths = OneWayLayer(3, 4, cell=LSTMCell), torch.randn(1, 5, 3), torch.tensor([5])
    >>> state, going_on = layer.start(inputs[:, 0]), torch.tensor([False])
    >>> first = layer.advance(inputs[:, :2], torch.tensor([2]), state, going_on)
    >>> second = layer.advance(inputs[:, 2:], torch.tensor([3]), first.state, going_on)
    >>> torch.allclose(torch.cat([first.outputs, second.outputs], 1), layer(inputs, lengths)[0], atol=1e-6)
    True
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, cell: Callable[[int, int], Cell], chunk_size: int | None = None
    ) -> None:
        super().__init__()
        self.output_size = hidden_size
        self.forwards = cell(input_size, hidden_size)
        self.chunk_size = chunk_size
        self.leaves_state = False  # whether all parts of the state stand in the place of the last output
        check_chunks(chunk_size, self.forwards)

    @property
    def directions(self) -> dict[str, Cell]:
        return {"forward": self.forwards}

    def forward(self, inputs: Inputs, lengths: Lengths) -> tuple[Outputs, Vectors]:
        if self.leaves_state:
            # Rows of each length by themselves would drop weights of their own.
            whole = runs_by_loop(self.forwards) or self.forwards.drops_weights
            run = unroll_masked if whole else unroll_within
            outputs, state = run(self.forwards, inputs, lengths, self.start(inputs[:, 0]))
            return outputs, torch.cat([*state], -1)
        outputs = unroll_chunks(self.forwards, inputs, self.chunk_size)
        return outputs, last_within(outputs, lengths)

    def start(self, like: Tensor) -> State:
        return self.forwards.start(like)

    def advance(self, inputs: Inputs, lengths: Lengths, state: State, ended: RowMask) -> Advanced:
        outputs, state = unroll_within(self.forwards, inputs, lengths, state)
        return Advanced(inputs, outputs, lengths, state.hidden, state)
