"""Token ids as an input."""

from collections.abc import Callable

import torch

from seq2seq.errors import UserError
from seq2seq.layers.dropout import WordDropout
from seq2seq.layers.embedding import NGramEmbedding, RecentIds
from seq2seq.layers.inputs.input import Copies, Input, InputState, MakesFrontEnd, SourceSide
from seq2seq.shapes import Lengths, Source, SourceIds, TimeVectors
from seq2seq.symbols import PAD, UNK


class TokenInput(Input):
    """Embedding of tokens, with that of each one's n-grams if wanted, and a front end if wanted.

    Raises UserError where layers are to read gaps.
    """

    def __init__(
        self,
        side: SourceSide,
        *,
        ngrams: Callable[[int, int], NGramEmbedding] | None = None,
        front_end: MakesFrontEnd | None = None,
    ) -> None:
        super().__init__()
        if side.gaps:
            raise UserError("gap_cell must be none with tokens, between which no time passes: choose input=frames.")
        self.words = WordDropout(side.word_dropout, "source_word_dropout")
        self.embedding = side.table()
        self.ngrams = ngrams(self.embedding.vocabulary_size, self.embedding.size) if ngrams else None
        self.front_end = front_end(self.embedding.size) if front_end else None

    @property
    def width(self) -> int:
        return self.embedding.size

    def dropped(self, source: Source) -> Source:
        """The source with some words as UNK while it trains."""
        return self.words(source)

    def forward(self, source: Source, lengths: Lengths | None = None) -> TimeVectors:
        return self.embedding.dropout(self._undropped(source, None))

    def _undropped(self, source: SourceIds, recent: RecentIds | None) -> TimeVectors:
        source = self.embedding.known(source)
        vectors = self.embedding.look_up(source)
        return vectors if self.ngrams is None else vectors + self.ngrams(source, recent)

    def occluded(self, source: Source) -> Copies:
        return source.expand(source.shape[1], -1).clone().fill_diagonal_(UNK)

    def drawn(self, shape: tuple[int, int], random: torch.Generator) -> Source:
        return torch.randint(self.embedding.vocabulary_size, shape, generator=random)

    def check_streams(self) -> None:
        super().check_streams()
        if self.ngrams is not None and self.ngrams.after > 0:
            raise UserError(
                f"windows of ngrams must be [before, 0] for streams, but one looks {self.ngrams.after} tokens ahead."
            )

    def start(self, count: int) -> InputState:
        vectors = self.embedding.table.weight.new_zeros(count, self.width)
        before = 0 if self.ngrams is None else self.ngrams.before
        recent = torch.full((count, before), PAD, device=vectors.device)
        return InputState((recent,), self.embedding.dropout.mask(vectors))

    def advance(self, source: Source, lengths: Lengths, state: InputState) -> tuple[TimeVectors, InputState]:
        (recent,) = state.kept
        vectors = self._undropped(source, recent)
        if self.ngrams is not None:
            recent = _last_ids(torch.cat([recent, self.embedding.known(source)], 1), lengths, recent.shape[1])
        return vectors * state.mask.unsqueeze(1), InputState((recent,), state.mask)


def _last_ids(ids: SourceIds, lengths: Lengths, count: int) -> RecentIds:
    """The last ids of each row, `batch count`, which has so many as it was given and `lengths[i]` more."""
    places = lengths.unsqueeze(1) + torch.arange(count, device=ids.device)  # (batch, count)
    return ids.gather(1, places)
