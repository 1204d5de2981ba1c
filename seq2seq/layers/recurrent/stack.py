"""Depth and two directions."""

from collections.abc import Callable

import torch
from torch import nn

from seq2seq.errors import UserError
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.recurrent.cells import Cell
from seq2seq.masking import last_within, reversal, reverse_within
from seq2seq.shapes import Inputs, Lengths, Outputs, Vectors


class BidirectionalLayer(nn.Module):
    """Two cells, one reading each sequence backwards within its length (Schuster & Paliwal 1997).

    Padding needs no packing: on the right it cannot reach earlier steps of the forward direction, and
    the backward direction reads a reversed copy in which it is on the right, too.
    """

    def __init__(self, input_size: int, hidden_size: int, *, cell: Callable[[int, int], Cell]) -> None:
        super().__init__()
        self.forwards = cell(input_size, hidden_size)
        self.backwards = cell(input_size, hidden_size)

    def forward(self, inputs: Inputs, lengths: Lengths) -> tuple[Outputs, Vectors]:
        """Outputs of both directions side by side, and each direction's last one."""
        permutation = reversal(lengths, inputs.shape[1])
        ahead = self.forwards.unroll(inputs, self.forwards.start(inputs))
        mirrored = reverse_within(inputs, permutation)
        back = self.backwards.unroll(mirrored, self.backwards.start(mirrored))
        last = torch.cat([last_within(ahead, lengths), last_within(back, lengths)], -1)
        return torch.cat([ahead, reverse_within(back, permutation)], -1), last


class BidirectionalStack(nn.Module):
    """Bidirectional layers, each but the first adding its input where sizes agree (He et al. 2016)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        cell: Callable[[int, int], Cell],
        residual: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise UserError(f"num_layers must be at least 1, but is {num_layers}.")
        self.output_size = 2 * hidden_size
        sizes = [input_size, *[self.output_size] * (num_layers - 1)]
        self.layers = nn.ModuleList(BidirectionalLayer(size, hidden_size, cell=cell) for size in sizes)
        self.residual = residual
        self.dropout = LockedDropout(dropout)

    def forward(self, inputs: Inputs, lengths: Lengths) -> tuple[Outputs, Vectors]:
        """The top layer's outputs, and its last output of each direction."""
        last = inputs.new_zeros(0)
        for layer in self.layers:
            outputs, last = layer(inputs, lengths)
            outputs = self.dropout(outputs)
            inputs = outputs + inputs if self.residual and outputs.shape == inputs.shape else outputs
        return inputs, last
