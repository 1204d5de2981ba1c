"""Lines of text or frames that a model is forced through, to look at what it does on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.copied_pieces import pieces_of
from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader, source_sequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.interpretation.signals import ProbedLine
from seq2seq.shapes import Lengths, Source, TargetIds
from seq2seq.symbols import BOS, EOS, UNK

_AT_ONCE = 64  # lines whose gates are in memory together


@dataclass(frozen=True)
class ForcedLines:
    """Sources and the targets that they are forced to, as texts and as a model reads them."""

    tokenizers: Tokenizers
    sources: Sequence[str]
    targets: Sequence[str]
    read: TokenSequences
    written: TokenSequences

    @classmethod
    def of(cls, tokenizers: Tokenizers, examples: Sequence[Example], *, most: int) -> "ForcedLines":
        """The lines of examples with their first targets, without those that are longer than so many on a side."""
        texts = [example.source for example in examples], [example.targets[0] for example in examples]
        read = source_sequences(tokenizers.source, texts[0])
        targets = tokenizers.encode_pairs(*texts)[1]
        written = TokenSequences.from_ids(targets)
        # A source may be empty for the tokenizer alone.
        kept = (read.lengths > 0) & (read.lengths <= most) & (written.lengths <= most)
        sources, answers = ([text for text, own in zip(side, kept.tolist(), strict=True) if own] for side in texts)
        return cls(tokenizers, sources, answers, read.kept(kept), written.kept(kept))

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def lines_with_unknown(self) -> int:
        """The number of lines with a piece on either side that the vocabulary there lacks; frames have no pieces."""
        sides = [self.written] if isinstance(self.tokenizers.source, FrameReader) else [self.read, self.written]
        return sum(any(UNK in side.row(row) for side in sides) for row in range(len(self)))

    def first(self, count: int) -> "ForcedLines":
        """The first lines, at most so many."""
        kept = torch.arange(len(self)) < count
        return replace(
            self,
            sources=self.sources[:count],
            targets=self.targets[:count],
            read=self.read.kept(kept),
            written=self.written.kept(kept),
        )

    def batches(self, device: torch.device) -> Iterator[tuple[Source, Lengths, TargetIds]]:
        """Sources, their lengths and targets from BOS to the end, in the order of the lines."""
        yield from (self._batch(rows, device) for rows in torch.arange(len(self)).split(_AT_ONCE))

    def whole(self, device: torch.device) -> tuple[Source, Lengths, TargetIds]:
        """A batch of every line."""
        return self._batch(torch.arange(len(self)), device)

    def _batch(self, rows: Int[Tensor, " rows"], device: torch.device) -> tuple[Source, Lengths, TargetIds]:
        (source, lengths), (target, _) = (part.padded(rows, end=True) for part in (self.read, self.written))
        target = torch.cat([torch.full_like(target[:, :1], BOS), target], 1)
        return source.to(device), lengths.to(device), target.to(device)

    def sides(self) -> dict[str, list[ProbedLine]]:
        """The lines as cells of either side go through them; frames have no pieces, and are no side."""
        found = {"target": [self._target(row) for row in range(len(self))]}
        if not isinstance(self.tokenizers.source, FrameReader):
            found["source"] = [self._source(row) for row in range(len(self))]
        return found

    def _source(self, row: int) -> ProbedLine:
        tokenizer, text = self.tokenizers.source, self.sources[row]
        pieces = (*tokenizer.surface(text), *tokenizer.pieces([EOS]))
        return ProbedLine(text, self.targets[row], "source", pieces, pieces)

    def _target(self, row: int) -> ProbedLine:
        tokenizers, text = self.tokenizers, self.sources[row]
        pieces = tuple(pieces_of(tokenizers, [*self.written.row(row), EOS], text))
        (first,) = tokenizers.target.pieces([BOS])
        return ProbedLine(text, self.targets[row], "target", pieces, (first, *pieces[:-1]))
