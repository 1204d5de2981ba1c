"""Bidirectional layers, and stacks of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.connections import connect
from seq2seq.layers.recurrent.recomputing import recomputed, unroll
from seq2seq.masking import last_within, reversal, reverse_within, shortened, without_padding
from seq2seq.shapes import Inputs, Lengths, Outputs, Vectors


class Encoded(NamedTuple):
    """The values of every position, how many of them are true, and the top layer's last output of each direction."""

    values: Tensor  # batch time hidden
    lengths: Tensor  # batch
    last: Tensor  # batch hidden


class BidirectionalLayer(nn.Module):
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
        self.forwards = cell(input_size, hidden_size)
        self.backwards = cell(input_size, hidden_size)
        self.chunk_size = chunk_size
        for name, what in (("weight_drop", "weights"), ("recurrent_dropout", "units")):
            rate = getattr(self.forwards.regularization, name)
            if chunk_size is not None and rate > 0:
                raise UserError(
                    f"chunk_size must be null where {name} is above 0, as each "
                    f"chunk would drop other {what}, but they are {chunk_size} and {rate}."
                )

    def forward(self, inputs: Inputs, lengths: Lengths) -> tuple[Outputs, Vectors]:
        """Outputs of both directions side by side, `batch time hidden`, and the last of each, `batch hidden`."""
        permutation = reversal(lengths, inputs.shape[1])
        ahead = self._unroll(self.forwards, inputs)  # (batch, time, half)
        back = self._unroll(self.backwards, reverse_within(inputs, permutation))
        # (batch, half) beside (batch, half) = (batch, hidden)
        last = torch.cat([last_within(ahead, lengths), last_within(back, lengths)], -1)
        back = reverse_within(back, permutation)  # by the same name, so that a long one is not in memory twice
        return torch.cat([ahead, back], -1), last

    def _unroll(self, cell: Cell, inputs: Inputs) -> Outputs:
        state = cell.start(inputs)
        if self.chunk_size is None or inputs.shape[1] <= self.chunk_size:
            return unroll(cell, inputs, state)[0]
        outputs = []
        for chunk in inputs.split(self.chunk_size, 1):
            part, state = recomputed(cell.unroll, chunk, state)
            outputs.append(part)  # (batch, chunk, half)
        return torch.cat(outputs, 1)


@dataclass(frozen=True)
class StackOptions:
    """Options of a bidirectional stack and its layers.

    The top `halvings` layers read pairs of steps, so that each leaves half as many (Chan et al. 2016, "pyramidal").
    Raises UserError if there are no layers or all would halve.
    """

    hidden_size: int  # of each direction
    num_layers: int
    cell: Callable[[int, int], Cell]
    connection: str = "residual"
    halvings: int = 0
    chunk_size: int | None = None
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise UserError(f"num_layers must be at least 1, but is {self.num_layers}.")
        if not 0 <= self.halvings < self.num_layers:
            raise UserError(
                f"halvings must be at least 0 and below num_layers, which is {self.num_layers}, but is {self.halvings}."
            )
        if self.chunk_size is not None and self.chunk_size < 1:
            raise UserError(f"chunk_size must be at least 1 step, or null for all, but is {self.chunk_size}.")


class BidirectionalStack(nn.Module):
    """Bidirectional layers and the connections between them. Raises UserError at an unknown connection."""

    def __init__(self, input_size: int, options: StackOptions) -> None:
        super().__init__()
        self.output_size = 2 * options.hidden_size
        self.layers, self.connections = nn.ModuleList(), nn.ModuleList()
        plain = options.num_layers - options.halvings
        self.steps = [1] * plain + [2] * options.halvings  # that each layer reads as one
        size = input_size
        for depth, steps in enumerate(self.steps, 1):
            self.layers.append(
                BidirectionalLayer(steps * size, options.hidden_size, cell=options.cell, chunk_size=options.chunk_size)
            )
            connected = connect(options.connection, steps * size, self.output_size, top=depth == options.num_layers)
            self.connections.append(connected)
            size = connected.size
        self.dropout = LockedDropout(options.dropout)

    @property
    def reduction(self) -> int:
        """Number of input steps that one step of the output stands for."""
        return prod(self.steps)

    @property
    def parts(self) -> Iterator[tuple[nn.Module, int]]:
        """Layers and connections, bottom first, with the number of input steps that one of their own stands for."""
        reductions = accumulate(self.steps, mul)
        for reduction, *parts in zip(reductions, self.layers, self.connections, strict=True):
            yield from ((part, reduction) for part in parts)

    def forward(self, inputs: Inputs, lengths: Lengths) -> Encoded:
        """Outputs of the top connection, how many each sequence has, and the last of the top layer."""
        last = inputs.new_zeros(0)
        for steps, layer, connection in zip(self.steps, self.layers, self.connections, strict=True):
            if steps > 1:  # (batch, time, size) -> (batch, fewer, steps * size)
                inputs, lengths = side_by_side(inputs, lengths, steps), shortened(lengths, steps)
            outputs, last = layer(inputs, lengths)
            inputs = connection(inputs, self.dropout(outputs))
        return Encoded(inputs, lengths, last)


def side_by_side(values: Inputs, lengths: Lengths, steps: int) -> Float[Tensor, "batch fewer wider"]:
    """Vectors of `steps` neighbours side by side, `batch fewer wider`; the last of a sequence may end in zeros."""
    values = without_padding(values, lengths)
    # (batch, time, size) -> (batch, fewer * steps, size) -> (batch, fewer, steps, size) -> (batch, fewer, steps * size)
    full = functional.pad(values, (0, 0, 0, -values.shape[1] % steps))
    return full.unflatten(1, (-1, steps)).flatten(2)
