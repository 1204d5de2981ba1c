"""Pairs that an augmentation makes, as token ids."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np

from seq2seq.data.augmentation.augmentation import Augmentation, Pair
from seq2seq.data.batch import PairSequences
from seq2seq.data.batching import BatchPlan
from seq2seq.data.encoding import encoded_parts, pairs_of
from seq2seq.data.examples import Example
from seq2seq.data.sequences import SequenceWriter
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError, printable
from seq2seq.symbols import UNK

logger = logging.getLogger(__name__)


class MadePairs:
    """Pairs made anew for every epoch from the examples, as a function of the plan's seed, the epoch and the pair.

    Those that are too long for the plan's batches, or hold what a vocabulary lacks, are left out. How many the first
    epoch gets is logged. Raises UserError where the examples do not suit, or nothing usable comes of them.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        examples: Sequence[Example],
        tokenizers: Tokenizers,
        plan: BatchPlan,
        *,
        max_length: int,
    ) -> None:
        augmentation.learn(examples)
        self.augmentation = augmentation
        self.tokenizers = tokenizers
        self.max_length = max_length
        self.max_tokens, self.seed = plan.budget.max_tokens, plan.seed
        self._examples = examples
        self._tell()

    def epoch(self, number: int) -> PairSequences:
        """The pairs of an epoch."""
        return self._encoded(self._made(number))

    def _made(self, number: int) -> Iterator[Pair]:
        return self.augmentation.one_by_one(pairs_of(self._examples), self.seed, number)

    def _tell(self) -> None:
        usable = len(self.epoch(0))
        if not usable:
            raise UserError(
                f"augmentation must make pairs of known pieces, but of its {sum(1 for _ in self._made(0))} pairs none "
                "is usable with these tokenizers and lengths: cut into characters, or leave it out."
            )
        source, target = (printable(text) for text in next(self._made(0)))
        logger.info(
            "augmentation: an epoch gets %s pairs beside %s of train, made anew in each, such as %s -> %s",
            *(f"{usable:,}", f"{sum(1 for _ in pairs_of(self._examples)):,}", source, target),
        )

    def _encoded(self, made: Iterator[Pair]) -> PairSequences:
        writers = SequenceWriter(), SequenceWriter()
        for sides in encoded_parts(made, self.tokenizers):
            kept = np.array([self._usable(pair) for pair in zip(*sides, strict=True)])
            for writer, side in zip(writers, sides, strict=True):
                writer.extend(side, kept)
        source, target = (writer.sequences() for writer in writers)
        return PairSequences(source, target)

    def _usable(self, pair: tuple[list[int], ...]) -> bool:
        fits = max(map(len, pair)) <= self.max_length and sum(len(ids) + 1 for ids in pair) <= self.max_tokens
        return fits and all(ids and UNK not in ids for ids in pair)
