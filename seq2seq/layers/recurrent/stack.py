"""Stacks of recurrent layers that read sources: whole ones, or streams in chunks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import prod
from operator import mul
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.recurrent.bidirectional import BidirectionalLayer
from seq2seq.layers.recurrent.blockwise import BlockwiseLayer
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.connections import by_layer, connect
from seq2seq.layers.recurrent.gaps import beside, check_one_way, parted
from seq2seq.layers.recurrent.layer import RecurrentLayer, StreamingLayer
from seq2seq.layers.recurrent.one_way import OneWayLayer
from seq2seq.layers.recurrent.pending import Pending, renewed
from seq2seq.layers.recurrent.state import StateLayout
from seq2seq.masking import last_within, shortened, side_by_side
from seq2seq.shapes import Inputs, Lengths, RowMask

DIRECTIONS = ("both", "forward")


class Encoded(NamedTuple):
    """The values of every position, how many of them are true, and the top layer's last output of each direction."""

    values: Tensor  # batch time hidden
    lengths: Tensor  # batch
    last: Tensor  # batch hidden


@dataclass(frozen=True)
class StackOptions:
    """Options of a stack and its layers.

    The top `halvings` layers read pairs of steps, so that each leaves half as many (Chan et al. 2016, "pyramidal").
    `direction` is both, or forward; both with a `block_size` read backwards block by block, from `lookahead` steps
    behind each. A `gap_cell`, which also reads the gaps between steps, takes the place of the cell. Raises UserError if
    there are no layers or all would halve, and where options do not go together.
    """

    hidden_size: int  # of each direction
    num_layers: int
    cell: Callable[[int, int], Cell]
    gap_cell: Callable[..., Cell] | None = None
    connection: str | Sequence[str] = "residual"  # of each layer, bottom first, where there are several
    halvings: int = 0
    chunk_size: int | None = None
    dropout: float = 0.3
    direction: str = "both"
    block_size: int | None = None
    lookahead: int = 0

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise UserError(f"num_layers must be at least 1, but is {self.num_layers}.")
        if not 0 <= self.halvings < self.num_layers:
            raise UserError(
                f"halvings must be at least 0 and below num_layers, which is {self.num_layers}, but is {self.halvings}."
            )
        if self.chunk_size is not None and self.chunk_size < 1:
            raise UserError(f"chunk_size must be at least 1 step, or null for all, but is {self.chunk_size}.")
        if self.direction not in DIRECTIONS:
            raise UserError(f"direction must be one of {', '.join(DIRECTIONS)}, but is {self.direction!r}.")
        self._check_blocks()

    def _check_blocks(self) -> None:
        if self.block_size is None:
            if self.lookahead != 0:
                raise UserError(f"lookahead needs a block_size that it looks behind, but is {self.lookahead}.")
            return
        if self.block_size < 1:
            raise UserError(f"block_size must be at least 1 step, or null for one block, but is {self.block_size}.")
        if self.lookahead < 0:
            raise UserError(f"lookahead must be at least 0 steps, but is {self.lookahead}.")
        if self.direction != "both":
            raise UserError(f"block_size must be null where direction is forward, but is {self.block_size}.")
        if self.chunk_size is not None:
            raise UserError(f"chunk_size must be null beside a block_size, but is {self.chunk_size}.")

    @property
    def output_size(self) -> int:
        """Width of a layer's outputs."""
        return self.hidden_size if self.direction == "forward" else 2 * self.hidden_size

    def layer(self, input_size: int, gap_size: int = 0) -> RecurrentLayer:
        """A new layer that reads vectors, and so many gaps behind each."""
        cell = self.cell if self.gap_cell is None else partial(self.gap_cell, gap_size=gap_size)
        if self.block_size is not None:
            blocks = {"block_size": self.block_size, "lookahead": self.lookahead}
            return BlockwiseLayer(input_size, self.hidden_size, cell=self.cell, **blocks)
        kind = OneWayLayer if self.direction == "forward" else BidirectionalLayer
        return kind(input_size + gap_size, self.hidden_size, cell=cell, chunk_size=self.chunk_size)


class StackState(NamedTuple):
    """State of a stack between two chunks of streams, the batch first."""

    layers: tuple[Any, ...]
    odd: tuple[Pending, ...]  # for each layer, steps that wait for others to be read with them
    masks: tuple[Tensor, ...]  # batch hidden: of dropout, for each layer; the same for the whole stream


class RecurrentStack(nn.Module):
    """Recurrent layers and the connections between them.

    Behind the vectors of each step stand `gap_size` gaps, which every layer reads and none hands on. Raises UserError
    at an unknown connection, and at a gap_cell in layers that cannot read all gaps.
    """

    def __init__(self, input_size: int, options: StackOptions, gap_size: int = 0) -> None:
        super().__init__()
        if options.gap_cell is not None:
            check_one_way(options.direction, options.halvings)
        self.input_size, self.gap_size, self.output_size = input_size, gap_size, options.output_size
        self.layers, self.connections = nn.ModuleList(), nn.ModuleList()
        self.steps = [1] * (options.num_layers - options.halvings) + [2] * options.halvings  # each layer reads as one
        size = input_size
        names = by_layer(options.connection, options.num_layers)
        for depth, (steps, name) in enumerate(zip(self.steps, names, strict=True), 1):
            self.layers.append(options.layer(steps * size, gap_size))
            connected = connect(name, steps * size, self.output_size, top=depth == options.num_layers)
            self.connections.append(connected)
            size = connected.size
        self.dropout = LockedDropout(options.dropout)
        self.leaves_states = False

    @property
    def reduction(self) -> int:
        """Number of input steps that one step of the output stands for."""
        return prod(self.steps)

    def streaming_layers(self) -> list[StreamingLayer]:
        """The layers, bottom first, which can read streams. Raises UserError if they read whole sequences alone."""
        layers = [layer for layer in self.layers if isinstance(layer, StreamingLayer)]
        if len(layers) < len(self.layers):
            raise UserError(
                "direction must be forward, or block_size a number of steps, for streams: with direction=both a layer "
                "reads each sequence from its end."
            )
        return layers

    @property
    def parts(self) -> Iterator[tuple[nn.Module, int]]:
        """Layers and connections, bottom first, with the number of input steps that one of their own stands for."""
        reductions = accumulate(self.steps, mul)
        for reduction, *parts in zip(reductions, self.layers, self.connections, strict=True):
            yield from ((part, reduction) for part in parts)

    def leave_states(self) -> list[StateLayout]:
        """Layouts of the layers' states, bottom first, which `forward` gives from now on as the last, side by side.

        Raises UserError where a layer does not read one way, or forgets what it computed.
        """
        layers = [layer for layer in self.layers if isinstance(layer, OneWayLayer)]
        if len(layers) < len(self.layers):
            raise UserError("direction must be forward, as others have several.")
        for layer in layers:
            if layer.chunk_size is not None:
                raise UserError(f"chunk_size must be null, but is {layer.chunk_size}.")
            layer.leaves_state = True
        self.leaves_states = True
        return [layer.forwards.layout for layer in layers]

    def forward(self, inputs: Inputs, lengths: Lengths, seen: Lengths | None = None) -> Encoded:
        """Outputs of the top connection, how many each sequence has, and the last of the top layer, or all states.

        If so many steps are `seen`, the last is that of the last one seen, as it is where layers read one way.
        """
        last, states = inputs.new_zeros(0), []
        inputs, gaps = parted(inputs, self.gap_size)
        for steps, layer, connection in zip(self.steps, self.layers, self.connections, strict=True):
            if steps > 1:  # (batch, time, size) -> (batch, fewer, steps * size)
                inputs, lengths = side_by_side(inputs, lengths, steps), shortened(lengths, steps)
            outputs, last = layer(beside(inputs, gaps), lengths)
            states.append(last)
            if seen is not None:
                last = last_within(outputs, seen)
            inputs = connection(inputs, self.dropout(outputs))
        return Encoded(inputs, lengths, torch.cat(states, -1) if self.leaves_states else last)

    def start(self, like: Tensor) -> StackState:
        """The state before the first step of streams, for a batch as long as `like`, `batch input`.

        Raises UserError if layers read whole sequences alone.
        """
        wide = like.new_empty(len(like), self.output_size)
        layers, odd, masks = [], [], []
        for steps, layer in zip(self.steps, self.streaming_layers(), strict=True):
            first = like.new_zeros(len(like), layer.directions["forward"].input_size)
            layers.append(layer.start(first))
            odd.append(Pending.none(first[:, : first.shape[1] // steps]))
            masks.append(self.dropout.mask(wide))
        return StackState(tuple(layers), tuple(odd), tuple(masks))

    def renew(self, state: StackState, rows: RowMask) -> StackState:
        """The state with some rows, `batch`, as before their first step."""
        return renewed(self.start(state.masks[0].new_zeros(len(rows), self.input_size)), state, rows)

    def advance(
        self, inputs: Inputs, lengths: Lengths, state: StackState, ended: RowMask
    ) -> tuple[Encoded, StackState]:
        """Values of a chunk of every stream, `batch time input`, and the state behind it.

        Rows may have any number of steps in a chunk, none, too; `ended`, `batch`, tells whose stream ends with it. What
        comes of a row may lag behind what it read, until it ends.
        """
        layers, odd, last = [], [], inputs.new_zeros(0)
        inputs, gaps = parted(inputs, self.gap_size)
        parts = zip(self.steps, self.streaming_layers(), self.connections, *state, strict=True)
        for steps, layer, connection, own, waiting, mask in parts:
            if steps > 1:
                read = waiting.before(inputs, lengths)
                whole = torch.where(ended, read.lengths, read.lengths // steps * steps)
                inputs, lengths = side_by_side(read.values, whole, steps), shortened(whole, steps)
                waiting = read.after(whole)
            inputs, outputs, lengths, last, own = layer.advance(beside(inputs, gaps), lengths, own, ended)
            inputs, _ = parted(inputs, self.gap_size)
            layers.append(own)
            odd.append(waiting)
            inputs = connection(inputs, outputs * mask.unsqueeze(1))
        if self.leaves_states:
            last = torch.cat([part for own in layers for part in own], -1)
        return Encoded(inputs, lengths, last), StackState(tuple(layers), tuple(odd), state.masks)
