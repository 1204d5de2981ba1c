"""Texts to texts: encode, batch by length, search, decode, in the order that they came."""

from collections.abc import Callable, Iterator, Sequence

import torch

from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.stepper import Stepper
from seq2seq.errors import UserError
from seq2seq.shapes import Lengths, SourceIds

Search = Callable[[Stepper, SourceIds, Lengths], list[Hypothesis]]


class Translator:
    """A search over sentences of text. Empty text stays empty; what is unknown to the tokenizer becomes UNK."""

    def __init__(
        self,
        stepper: Stepper,
        tokenizers: Tokenizers,
        search: Search,
        *,
        batch_size: int = 256,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, but is {batch_size}.")
        self.stepper = stepper
        self.tokenizers = tokenizers
        self.search = search
        self.batch_size = batch_size
        self.device = device

    def __call__(self, texts: Sequence[str]) -> list[str]:
        return self.tokenizers.target.decode([hypothesis.ids for hypothesis in self.hypotheses(texts)])

    def hypotheses(self, texts: Sequence[str]) -> list[Hypothesis]:
        """One for every text."""
        encoded = TokenSequences.of(self.tokenizers.source.encode(texts))
        found = [Hypothesis([], 0.0, True)] * len(texts)
        for rows in self._batches(encoded):
            source, lengths = encoded.rows(rows, end=True)
            batch = self.search(self.stepper, source.to(self.device), lengths.to(self.device))
            for row, hypothesis in zip(rows.tolist(), batch, strict=True):
                found[row] = hypothesis
        return found

    def _batches(self, encoded: TokenSequences) -> Iterator[torch.Tensor]:
        """Rows with something in them, longest first, so that neighbours are of like length."""
        order = encoded.lengths.argsort(descending=True, stable=True)
        filled = order[: int((encoded.lengths > 0).sum())]
        if len(filled):  # of nothing, split makes one empty part
            yield from filled.split(self.batch_size)
