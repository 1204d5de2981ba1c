"""Encoder of sources into what the decoder attends to."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from seq2seq.errors import UserError
from seq2seq.layers.inputs.input import Input, InputState, SourceSide
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.recurrent.one_way import OneWayLayer
from seq2seq.layers.recurrent.pending import renewed
from seq2seq.layers.recurrent.stack import Encoded, RecurrentStack, StackOptions, StackState
from seq2seq.layers.recurrent.state import StateLayout
from seq2seq.shapes import Lengths, RowMask, Source, TimeVectors


class EncoderState(NamedTuple):
    """State of an encoder between two chunks of streams, the batch first."""

    stack: StackState
    input: InputState


class Encoder(nn.Module):
    """An input, which maps a source to vectors, and a stack of recurrent layers.

    A front end with a stride and layers that halve time leave fewer values than there are tokens or frames: one for
    `reduction` of them, the last perhaps for fewer.
    """

    def __init__(
        self, *, side: SourceSide, options: StackOptions, input: Callable[[SourceSide], Input] = TokenInput
    ) -> None:
        super().__init__()
        self.input = input(side._replace(gaps=options.gap_cell is not None))
        self.stack = RecurrentStack(self.input.output_size, options, self.input.gap_size)

    def check_streams(self) -> None:
        """Check that streams can be read in chunks. Raises UserError where a part looks at what is still to come."""
        self.stack.streaming_layers()
        self.input.check_streams()

    def check_reads_on(self) -> None:
        """Check that no value changes with what comes after its token. Raises UserError where one does."""
        self.check_streams()
        if not all(isinstance(layer, OneWayLayer) for layer in self.stack.layers):
            raise UserError("direction must be forward, as blocks look at what comes after a token.")
        if self.reduction > 1:
            raise UserError("halvings must be 0, as tokens are counted that are read.")

    def leave_states(self) -> list[StateLayout]:
        """Layouts of the layers' states, bottom first, which from now on stand in the place of the last outputs.

        Raises UserError where a layer does not read one way, or keeps no more than outputs.
        """
        return self.stack.leave_states()

    @property
    def output_size(self) -> int:
        """Width of a value."""
        return self.stack.output_size

    @property
    def stride(self) -> int:
        """Number of tokens that one step of the recurrent layers stands for."""
        return self.input.stride

    @property
    def reduction(self) -> int:
        """Number of tokens that one value stands for."""
        return self.stride * self.stack.reduction

    @property
    def parts(self) -> Iterator[tuple[nn.Module, int]]:
        """Parts with matrices that run over time, with the number of tokens that one of their steps stands for."""
        children = (part for part in self.input.children() if part is not self.input.front_end)
        yield from ((part, 1) for part in children if next(part.parameters(), None) is not None)
        if self.input.front_end:
            yield self.input.front_end, self.stride
        yield from ((part, self.stride * steps) for part, steps in self.stack.parts)

    def forward(self, source: Source, lengths: Lengths, seen: Lengths | None = None) -> Encoded:
        """Values, how many there are of each sentence, and the last output of each direction.

        If only so many tokens are `seen` of each, the last output is that of the last one seen, of one-way layers.
        """
        return self.encode(self.input(source, lengths), lengths, seen)

    def encode(self, vectors: TimeVectors, lengths: Lengths, seen: Lengths | None = None) -> Encoded:
        """Values, their number and the last outputs, as of `forward`, from the vectors that the input gives."""
        return self.stack(*self.input.shortened(vectors, lengths), seen)

    def start(self, count: int) -> EncoderState:
        """The state before so many streams. Raises UserError where a part looks at what is still to come."""
        self.check_streams()
        like = next(self.stack.parameters()).new_zeros(count, self.input.width)
        return EncoderState(self.stack.start(like), self.input.start(count))

    def advance(
        self, source: Source, lengths: Lengths, state: EncoderState, ended: RowMask | None = None
    ) -> tuple[Encoded, EncoderState]:
        """Values of a chunk of every stream, which may lag behind it, and the state behind it.

        Row i has `lengths[i]` tokens in the chunk, perhaps none. `ended`, `batch`, tells whose stream ends with it; by
        default none does. Raises UserError at a state of so many other streams, or of another encoder.
        """
        streams = len(state.input.mask)
        if len(source) != streams:
            raise UserError(
                f"state must be of as many streams as the chunk has rows, {len(source)}, but is of {streams}."
            )
        self._check_own(state)
        vectors, after = self.input.advance(source, lengths, state.input)
        ended = torch.zeros_like(lengths, dtype=torch.bool) if ended is None else ended
        encoded, stack = self.stack.advance(vectors, lengths, state.stack, ended)
        return encoded, EncoderState(stack, after)

    def go_on(self, state: EncoderState, fresh: RowMask) -> EncoderState:
        """The state before the next segment of streams, from that behind the last: detached, with new dropout masks.

        Rows that are `fresh`, `batch`, and those whose state is not finite are as before their first token.
        """
        new, old = self.start(len(fresh)), pytree.tree_map(Tensor.detach, state)
        kept = renewed(new, old, fresh | ~finite_rows(old))
        return EncoderState(kept.stack._replace(masks=new.stack.masks), kept.input._replace(mask=new.input.mask))

    def renew(self, state: EncoderState, rows: RowMask) -> EncoderState:
        """The state with some rows, `batch`, as before their first token. Raises UserError at so many other rows."""
        streams = len(state.input.mask)
        if len(rows) != streams:
            raise UserError(f"rows must be true or false for each of {streams} streams, but are {len(rows)}.")
        self._check_own(state)
        return renewed(self.start(streams), state, rows)

    def _check_own(self, state: EncoderState) -> None:
        """Check that a state is of an encoder like this one, by the widths of its masks."""
        own = [self.input.width, *[self.output_size] * len(self.stack.layers)]
        found = [mask.shape[-1] for mask in (state.input.mask, *state.stack.masks)]
        if found != own:
            raise UserError(
                f"state must be of this encoder, whose input and layers are {own} wide, but is of one with {found}."
            )


def finite_rows(state: tuple[object, ...]) -> RowMask:
    """Tell which rows of a state, of an encoder or of layers, are finite, `batch`."""
    parts = [part for part in pytree.tree_leaves(state) if part.is_floating_point()]
    return torch.stack([part.flatten(1).isfinite().all(1) for part in parts]).all(0)
