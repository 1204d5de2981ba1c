"""Token ids of many sentences in one flat tensor, padded a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.shapes import Ids, Lengths
from seq2seq.symbols import EOS, PAD


@dataclass(frozen=True)
class TokenSequences:
    """Sentences of any length, tokenised once; `padded` slices batches out without a loop in Python."""

    flat: Int[Tensor, " tokens"]
    starts: Int[Tensor, " sentences"]
    lengths: Int[Tensor, " sentences"]

    @classmethod
    def from_ids(cls, sentences: Sequence[Sequence[int]]) -> "TokenSequences":
        """The sequences of the given token ids, one per sentence."""
        lengths = torch.tensor([len(sentence) for sentence in sentences], dtype=torch.long)
        flat = torch.tensor([*chain.from_iterable(sentences), PAD], dtype=torch.int32)
        return cls(flat, lengths.cumsum(0) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def followed_by(self, others: "TokenSequences") -> "TokenSequences":
        """The sentences, and others behind them."""
        before = len(self.flat) - 1  # the last token is padding
        flat, starts = torch.cat([self.flat[:-1], others.flat]), torch.cat([self.starts, others.starts + before])
        return TokenSequences(flat, starts, torch.cat([self.lengths, others.lengths]))

    def chosen(self, rows: Int[Tensor, " rows"]) -> "TokenSequences":
        """The given sentences, in their order, each as often as it is given; tokens are not copied."""
        return TokenSequences(self.flat, self.starts[rows], self.lengths[rows])

    def padded(self, indices: Int[Tensor, " rows"], *, end: bool) -> tuple[Ids, Lengths]:
        """Ids of the given sentences, padded to `batch time`, with EOS behind each if `end`, and their lengths."""
        lengths = self.lengths[indices]
        positions = torch.arange(int(lengths.max()) + end)
        inside = positions < lengths.unsqueeze(1)
        places = torch.where(inside, self.starts[indices].unsqueeze(1) + positions, len(self.flat) - 1)
        ids = self.flat[places].long()
        if end:
            ids[torch.arange(len(indices)), lengths] = EOS
        return ids, lengths + end
