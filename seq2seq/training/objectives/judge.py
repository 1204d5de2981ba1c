"""Judgement of a model's own outputs while it trains."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.length import LengthLimits
from seq2seq.metrics.risk import Risk
from seq2seq.symbols import EOS, PAD

Candidates = Sequence[Sequence[Sequence[int]]]  # token ids by sentence


class Judge:
    """Tells texts of token ids, and their risks against all references of their source among the examples.

    Where a source comes twice, the first example has its references: others are made, or come along.
    `length` bounds the outputs that are to be judged.
    """

    def __init__(
        self, tokenizers: Tokenizers, examples: Iterable[Example], risk: Risk, length: LengthLimits | None = None
    ) -> None:
        self.tokenizers = tokenizers
        self.risk = risk
        self.length = length or LengthLimits()
        given = list(examples)
        self._references: dict[str, tuple[str, ...]] = {}
        texts = tokenizers.source.decode(tokenizers.source.encode([example.source for example in given]))
        for text, example in zip(texts, given, strict=True):  # as a batch's ids come back, however it was cut
            known = (*self._references.get(text, ()), *example.targets)
            self._references[text] = tuple(dict.fromkeys(known))

    def texts(self, candidates: Candidates) -> list[list[str]]:
        """Texts of every sentence's candidates, whether they end or not."""
        words = [[token for token in ids if token != EOS] for own in candidates for ids in own]
        texts = iter(self.tokenizers.target.decode(words))
        return [[next(texts) for _ in own] for own in candidates]

    def risks(self, batch: Batch, rows: Sequence[int], texts: Sequence[Sequence[str]]) -> list[list[float]]:
        """Risks of the texts for those rows of a batch."""
        sources = self.tokenizers.source.decode(_sentences(batch.source, rows))
        given = self.tokenizers.target.decode(targets_of(batch, rows))
        known = [self._references.get(source, (target,)) for source, target in zip(sources, given, strict=True)]
        owners = [number for number, own in enumerate(texts) for _ in own]
        found = iter(
            self.risk(
                [text for own in texts for text in own],
                [known[number] for number in owners],
                [sources[number] for number in owners],
            ).tolist()
        )
        return [[next(found) for _ in own] for own in texts]


def targets_of(batch: Batch, rows: Sequence[int]) -> list[list[int]]:
    """Token ids of the targets of those rows, without EOS."""
    return _sentences(batch.target_outputs, rows)


def _sentences(ids: Tensor, rows: Sequence[int]) -> list[list[int]]:
    chosen = ids[torch.tensor(rows, device=ids.device)]
    return [[token for token in row if token not in (PAD, EOS)] for row in chosen.tolist()]
