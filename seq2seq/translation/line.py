"""Lines that a user asks to be translated, and the translations that come back."""

from dataclasses import dataclass, replace
from functools import cached_property

from seq2seq.data.copied_pieces import pieces_of
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.symbols import EOS, UNK


@dataclass(frozen=True)
class Line:
    """A text, how its translation has to begin, and phrases that it has to hold."""

    source: str
    prefix: str = ""
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Translation:
    """A text and the hypothesis behind it. Pieces are cut when they are looked at."""

    text: str
    hypothesis: Hypothesis
    source: str
    tokenizers: Tokenizers

    @cached_property
    def pieces(self) -> list[str]:
        """Pieces of the hypothesis, one per token."""
        return pieces_of(self.tokenizers, self.hypothesis.ids, self.source)

    @cached_property
    def source_pieces(self) -> list[str]:
        """Pieces that attention is over: those of the source as far as it was read, and its end."""
        attention = self.hypothesis.attention
        if isinstance(self.tokenizers.source, FrameReader):  # which have no end of their own
            return self.tokenizers.source.surface(self.source)[: None if attention is None else attention.shape[1]]
        read = None if attention is None else attention.shape[1] - 1
        return [*self.tokenizers.source.surface(self.source)[:read], *self.tokenizers.source.pieces([EOS])]

    @cached_property
    def alignment(self) -> list[int]:
        """Numbers of the source pieces that each target piece attended to most, from 0; the end is none.

        What looked at the end alone has the last piece. Empty without attention.
        """
        attention = self.hypothesis.attention
        ends = 0 if isinstance(self.tokenizers.source, FrameReader) else 1
        if attention is None or attention.shape[1] <= ends:
            return []
        looked = attention[:, : attention.shape[1] - ends]
        return looked.argmax(1).where(looked.sum(1) > 0, looked.shape[1] - 1).tolist()

    def without_unknown(self) -> "Translation":
        """The translation with every UNK as the source piece that it attended to most (Jean et al. 2015)."""
        if UNK not in self.hypothesis.ids or not self.alignment:
            return self
        pieces = [
            self.source_pieces[position] if index == UNK else piece
            for index, piece, position in zip(self.hypothesis.ids, self.pieces, self.alignment, strict=True)
        ]
        return replace(self, text=self.tokenizers.target.join(pieces))
