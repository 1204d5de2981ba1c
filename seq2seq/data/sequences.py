"""Token ids of many sentences in one flat tensor, padded a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Int, Integer
from torch import Tensor

from seq2seq.shapes import Ids, Lengths
from seq2seq.symbols import EOS, PAD


@dataclass(frozen=True)
class TokenSequences:
    """Sentences of any length, tokenised once; `padded` slices batches out without a loop in Python."""

    flat: Integer[Tensor, " tokens"]
    starts: Int[Tensor, " sentences"]
    lengths: Int[Tensor, " sentences"]
    end: ClassVar[int] = 1  # tokens that stand behind a target

    @classmethod
    def from_ids(cls, sentences: Sequence[Sequence[int]]) -> "TokenSequences":
        """The sequences of the given token ids, one per sentence."""
        written = SequenceWriter()
        written.extend(sentences)
        return written.sequences()

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, number: int) -> list[int]:
        """The token ids of one sentence."""
        start, length = int(self.starts[number]), int(self.lengths[number])
        return self.flat[start : start + length].tolist()

    def followed_by(self, others: "TokenSequences") -> "TokenSequences":
        """The sentences, and others behind them."""
        before = len(self.flat) - 1  # the last token is padding
        flat, starts = torch.cat([self.flat[:-1], others.flat]), torch.cat([self.starts, others.starts.long() + before])
        return replace(self, flat=flat, starts=starts, lengths=torch.cat([self.lengths, others.lengths]))

    def joined(self, begins: np.ndarray) -> "TokenSequences":
        """Sentences that adjoin as one: from each that begins, to the one before the next that does."""
        lengths = torch.from_numpy(np.add.reduceat(self.lengths.numpy(), begins)) if len(begins) else self.lengths[:0]
        return TokenSequences(self.flat, _starts(lengths), lengths)

    def kept(self, kept: Bool[Tensor, " sentences"]) -> "TokenSequences":
        """The sentences that are kept, and tokens of no others."""
        if bool(kept.all()):
            return self
        tokens = kept.repeat_interleave(self.lengths)
        lengths = self.lengths[kept]
        flat = self.flat[torch.cat([tokens, tokens.new_ones(1)])]
        return replace(self, flat=flat, starts=_starts(lengths), lengths=lengths)

    def chosen(self, rows: Int[Tensor, " rows"]) -> "TokenSequences":
        """The given sentences, in their order, each as often as it is given; tokens are not copied."""
        return replace(self, starts=self.starts[rows], lengths=self.lengths[rows])

    def cut(self, most: int) -> "TokenSequences":
        """The sentences, no more than the first so many tokens of each; tokens are not copied."""
        return replace(self, lengths=self.lengths.clamp(max=most))

    def padded(self, indices: Int[Tensor, " rows"], *, end: bool) -> tuple[Ids, Lengths]:
        """Ids of the given sentences, padded to `batch time`, with EOS behind each if `end`, and their lengths."""
        lengths = self.lengths[indices].long()
        ids = self.flat[self._places(indices, int(end))].long()
        if end:
            ids[torch.arange(len(indices)), lengths] = EOS
        return ids, lengths + end

    def _places(self, indices: Int[Tensor, " rows"], more: int) -> Int[Tensor, "rows time"]:
        """Places of the given sentences, padded to the longest and so many more; the last place is padding."""
        lengths = self.lengths[indices].long()
        positions = torch.arange(int(lengths.max()) + more)
        inside = positions < lengths.unsqueeze(1)
        return torch.where(inside, self.starts[indices].unsqueeze(1) + positions, len(self.flat) - 1)


def _starts(lengths: Int[Tensor, " sentences"]) -> Int[Tensor, " sentences"]:
    """Places at which sentences begin that follow each other, in four bytes each where that is enough."""
    starts = lengths.cumsum(0) - lengths
    wide = len(starts) and int(starts[-1]) > np.iinfo(np.int32).max
    return starts if wide else starts.int()


class SequenceWriter:
    """Takes token ids of sentences, some at a time, and keeps them in a row, in as few bytes each as are enough."""

    def __init__(self) -> None:
        self._kinds: list[type[np.integer]] = [np.uint8, np.int16, np.int32]
        self._tokens, self._lengths = bytearray(), bytearray()

    def extend(self, sentences: Sequence[Sequence[int]], kept: np.ndarray | None = None) -> None:
        """Take sentences behind the others, or those of them that are kept."""
        lengths = np.fromiter(map(len, sentences), np.int32, len(sentences))
        tokens = np.fromiter(chain.from_iterable(sentences), np.int32, int(lengths.sum()))
        if kept is not None:
            lengths, tokens = lengths[kept], tokens[np.repeat(kept, lengths)]
        while len(tokens) and tokens.max() > np.iinfo(self._kinds[0]).max:
            narrow, wider, *_ = self._kinds
            self._tokens = bytearray(np.frombuffer(self._tokens, narrow).astype(wider).tobytes())
            del self._kinds[0]
        self._tokens += tokens.astype(self._kinds[0]).tobytes()
        self._lengths += lengths.tobytes()

    def sequences(self) -> TokenSequences:
        """Sequences of all sentences; no other can be taken from then on."""
        self._tokens += np.array([PAD], self._kinds[0]).tobytes()
        lengths = torch.from_numpy(np.frombuffer(self._lengths, np.int32))
        tokens = torch.from_numpy(np.frombuffer(self._tokens, self._kinds[0]))
        return TokenSequences(tokens, _starts(lengths), lengths)
