"""The bidirectional layer, which reads whole sequences."""

from collections.abc import Callable

import torch

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.chunks import check_chunks, unroll_chunks
from seq2seq.layers.recurrent.layer import RecurrentLayer, Steps
from seq2seq.masking import last_within, reversal, reverse_within
from seq2seq.shapes import Inputs, Lengths, Outputs, TimeVectors, Vectors


class BidirectionalLayer(RecurrentLayer):
    """Two cells, one reading each sequence backwards within its length (Schuster & Paliwal 1997).

    Padding needs no packing: on the right it cannot reach earlier steps of the forward direction, and
    the backward direction reads a reversed copy in which it is on the right, too. With a `chunk_size`, cells run over
    that many steps at a time, the state carried on, so that the gates of a long sequence are never in memory at once:
    for gradients each chunk is computed anew (Chen et al. 2016).
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, cell: Callable[[int, int], Cell], chunk_size: int | None = None
    ) -> None:
        super().__init__()
        self.output_size = 2 * hidden_size
        self.forwards = cell(input_size, hidden_size)
        self.backwards = cell(input_size, hidden_size)
        self.chunk_size = chunk_size
        check_chunks(chunk_size, self.forwards)

    @property
    def directions(self) -> dict[str, Cell]:
        return {"forward": self.forwards, "backward": self.backwards}

    def forward(self, inputs: Inputs, lengths: Lengths) -> tuple[Outputs, Vectors]:
        """Outputs of both directions side by side, `batch time hidden`, and the last of each, `batch hidden`."""
        permutation = reversal(lengths, inputs.shape[1])
        ahead = unroll_chunks(self.forwards, inputs, self.chunk_size)  # (batch, time, half)
        back = unroll_chunks(self.backwards, reverse_within(inputs, permutation), self.chunk_size)
        # (batch, half) beside (batch, half) = (batch, hidden)
        last = torch.cat([last_within(ahead, lengths), last_within(back, lengths)], -1)
        back = reverse_within(back, permutation)  # by the same name, so that a long one is not in memory twice
        return torch.cat([ahead, back], -1), last

    def in_order(self, direction: str, steps: Steps, lengths: Lengths) -> TimeVectors:
        return reverse_within(steps, reversal(lengths, steps.shape[1])) if direction == "backward" else steps
