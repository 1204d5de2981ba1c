"""Encoder of source ids into what the decoder attends to."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding, NGramEmbedding, RecentIds
from seq2seq.layers.front_end import ConvolutionalFrontEnd
from seq2seq.layers.recurrent.one_way import OneWayLayer
from seq2seq.layers.recurrent.stack import Encoded, RecurrentStack, StackOptions, StackState, renewed
from seq2seq.layers.recurrent.state import StateLayout
from seq2seq.shapes import Lengths, RowMask, SourceIds, TimeVectors
from seq2seq.symbols import PAD


class EncoderState(NamedTuple):
    """State of an encoder between two chunks of streams, the batch first."""

    stack: StackState
    recent: Tensor  # batch before: the last ids, as far as n-grams look back
    mask: Tensor  # batch size: of the embedding's dropout, the same for the whole stream


class Encoder(nn.Module):
    """Embedding, with that of each token's n-grams if wanted, a front end if wanted, and a stack of recurrent layers.

    A front end with a stride and layers that halve time leave fewer values than there are tokens: one for `reduction`
    tokens, the last perhaps for fewer.
    """

    def __init__(
        self,
        *,
        embedding: Embedding,
        options: StackOptions,
        ngrams: Callable[[int, int], NGramEmbedding] | None = None,
        front_end: Callable[[int], ConvolutionalFrontEnd] | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.ngrams = ngrams(embedding.vocabulary_size, embedding.size) if ngrams else None
        self.front_end = front_end(embedding.size) if front_end else None
        self.stack = RecurrentStack(self.front_end.output_size if self.front_end else embedding.size, options)

    def check_streams(self) -> None:
        """Check that streams can be read in chunks. Raises UserError where a part looks at what is still to come."""
        self.stack.streaming_layers()
        if self.front_end is not None:
            raise UserError("front_end must be none for streams, but looks at what comes after each token.")
        if self.ngrams is not None and self.ngrams.after > 0:
            raise UserError(
                f"windows of ngrams must be [before, 0] for streams, but one looks {self.ngrams.after} tokens ahead."
            )

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
        return self.front_end.stride if self.front_end else 1

    @property
    def reduction(self) -> int:
        """Number of tokens that one value stands for."""
        return self.stride * self.stack.reduction

    @property
    def parts(self) -> Iterator[tuple[nn.Module, int]]:
        """Parts with matrices that run over time, with the number of tokens that one of their steps stands for."""
        if self.front_end:
            yield self.front_end, self.stride
        yield from ((part, self.stride * steps) for part, steps in self.stack.parts)

    def forward(self, source: SourceIds, lengths: Lengths, seen: Lengths | None = None) -> Encoded:
        """Values, how many there are of each sentence, and the last output of each direction.

        If only so many tokens are `seen` of each, the last output is that of the last one seen, of one-way layers.
        """
        return self.encode(self.embed(source), lengths, seen)

    def embed(self, source: SourceIds) -> TimeVectors:
        """Vectors of the source tokens, `batch source size`."""
        source = self.embedding.known(source)
        vectors = self.embedding.look_up(source)
        if self.ngrams is not None:
            vectors = vectors + self.ngrams(source)
        return self.embedding.dropout(vectors)

    def encode(self, vectors: TimeVectors, lengths: Lengths, seen: Lengths | None = None) -> Encoded:
        """Values, their number and the last outputs, as of `forward`, from the vectors of tokens."""
        if self.front_end is not None:
            vectors, lengths = self.front_end(vectors, lengths)
        return self.stack(vectors, lengths, seen)

    def start(self, count: int) -> EncoderState:
        """The state before so many streams. Raises UserError where a part looks at what is still to come."""
        self.check_streams()
        vectors = self.embedding.table.weight.new_zeros(count, self.embedding.size)
        before = 0 if self.ngrams is None else self.ngrams.before
        recent = torch.full((count, before), PAD, device=vectors.device)
        return EncoderState(self.stack.start(vectors), recent, self.embedding.dropout.mask(vectors))

    def advance(
        self, source: SourceIds, lengths: Lengths, state: EncoderState, ended: RowMask | None = None
    ) -> tuple[Encoded, EncoderState]:
        """Values of a chunk of every stream, which may lag behind it, and the state behind it.

        Row i has `lengths[i]` tokens in the chunk, perhaps none. `ended`, `batch`, tells whose stream ends with it; by
        default none does. Raises UserError at a state of so many other streams.
        """
        if len(source) != len(state.recent):
            raise UserError(
                f"state must be of as many streams as the chunk has rows, {len(source)}, but is of {len(state.recent)}."
            )
        source = self.embedding.known(source)
        vectors = self.embedding.look_up(source)
        recent = state.recent
        if self.ngrams is not None:
            vectors = vectors + self.ngrams(source, recent)
            recent = _last_ids(torch.cat([recent, source], 1), lengths, recent.shape[1])
        ended = torch.zeros_like(lengths, dtype=torch.bool) if ended is None else ended
        encoded, stack = self.stack.advance(vectors * state.mask.unsqueeze(1), lengths, state.stack, ended)
        return encoded, EncoderState(stack, recent, state.mask)

    def go_on(self, state: EncoderState, fresh: RowMask) -> EncoderState:
        """The state before the next segment of streams, from that behind the last: detached, with new dropout masks.

        Rows that are `fresh`, `batch`, and those whose state is not finite are as before their first token.
        """
        new, old = self.start(len(fresh)), pytree.tree_map(Tensor.detach, state)
        kept = renewed(new, old, fresh | ~finite_rows(old))
        return EncoderState(kept.stack._replace(masks=new.stack.masks), kept.recent, new.mask)

    def renew(self, state: EncoderState, rows: RowMask) -> EncoderState:
        """The state with some rows, `batch`, as before their first token."""
        return renewed(self.start(len(rows)), state, rows)


def finite_rows(state: EncoderState) -> RowMask:
    """Tell which rows of a state are finite, `batch`."""
    parts = [part for part in pytree.tree_leaves(state) if part.is_floating_point()]
    return torch.stack([part.flatten(1).isfinite().all(1) for part in parts]).all(0)


def _last_ids(ids: SourceIds, lengths: Lengths, count: int) -> RecentIds:
    """The last ids of each row, `batch count`, which has so many as it was given and `lengths[i]` more."""
    places = lengths.unsqueeze(1) + torch.arange(count, device=ids.device)  # (batch, count)
    return ids.gather(1, places)
