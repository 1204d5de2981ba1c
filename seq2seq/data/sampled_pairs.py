"""Training pairs whose subwords are drawn anew in every epoch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seq2seq.data.batch import PairSequences
from seq2seq.data.batching import BatchPlan
from seq2seq.data.examples import Example
from seq2seq.data.references import too_large
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import Tokenizers


class SampledPairs:
    """Pairs of train as token ids, drawn for every epoch as a function of the plan's seed and the epoch.

    Each side has its strength of drawing, None where it is always cut in the likeliest way; so is a text whose drawn
    pieces are too many for a batch, or for the longest sentence that is allowed.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        tokenizers: Tokenizers,
        strengths: Sequence[float | None],
        plan: BatchPlan,
        max_length: int,
    ) -> None:
        self.sides = list(zip((tokenizers.source, tokenizers.target), strengths, strict=True))
        self.max_length, self.seed = max_length, plan.seed
        self.max_tokens = plan.budget.max_tokens
        texts = [(example.source, target) for example in examples for target in example.targets]
        source, target = (side.encode([text[place] for text in texts]) for place, (side, _) in enumerate(self.sides))
        best = zip(source, target, strict=True)
        kept = [(text, ids) for text, ids in zip(texts, best, strict=True) if all(ids) and self._short(ids)]
        self._texts = [[text[place] for text, _ in kept] for place in (0, 1)]
        self._best = [ids for _, ids in kept]

    def __len__(self) -> int:
        return len(self._best)

    def epoch(self, number: int, like: PairSequences | None = None) -> PairSequences:
        """The pairs of an epoch, in the order of the examples, whose owners are those of `like`.

        Where references are taken together, all of an example are cut in the likeliest way if they are too long.
        """
        drawn = zip(*(self._drawn(place, number) for place in (0, 1)), strict=True)
        pairs = [own if self._fits(own) else best for own, best in zip(drawn, self._best, strict=True)]
        found = _sequences(pairs)
        if like is None:
            return found
        if like.together is not None:
            lengths = found.source.lengths + 1, found.target.lengths + 1
            for start, end in too_large(like.together, *lengths, self.max_tokens):
                pairs[start:end] = self._best[start:end]
            found = _sequences(pairs)
        return replace(found, owners=like.owners, references=like.references)

    def _drawn(self, place: int, epoch: int) -> list[list[int]]:
        tokenizer, strength = self.sides[place]
        if strength is None:
            return [ids[place] for ids in self._best]
        (seed,) = np.random.SeedSequence((self.seed, epoch, place)).generate_state(1)
        return tokenizer.sample(self._texts[place], strength, int(seed))

    def _fits(self, pair: Sequence[list[int]]) -> bool:
        return self._short(pair) and sum(len(ids) + 1 for ids in pair) <= self.max_tokens

    def _short(self, pair: Sequence[list[int]]) -> bool:
        return max(map(len, pair)) <= self.max_length


def _sequences(pairs: Sequence[Sequence[list[int]]]) -> PairSequences:
    source, target = (TokenSequences.from_ids([pair[side] for pair in pairs]) for side in (0, 1))
    return PairSequences(source, target)
