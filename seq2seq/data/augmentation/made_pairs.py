"""Pairs that an augmentation makes, as token ids."""

import logging
from collections.abc import Sequence

from seq2seq.data.augmentation.augmentation import Augmentation
from seq2seq.data.batch import PairSequences
from seq2seq.data.batching import BatchPlan
from seq2seq.data.examples import Example
from seq2seq.data.sequences import TokenSequences
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
        self._pairs = [(example.source, target) for example in examples for target in example.targets]
        self._tell()

    def epoch(self, number: int) -> PairSequences:
        """The pairs of an epoch."""
        return self._encoded(self.augmentation.epoch(self._pairs, self.seed, number))

    def _tell(self) -> None:
        made = self.augmentation.epoch(self._pairs, self.seed, 0)
        usable = len(self._encoded(made))
        if not usable:
            raise UserError(
                f"augmentation must make pairs of known pieces, but of its {len(made)} pairs none is usable with these "
                "tokenizers and lengths: cut into characters, or leave it out."
            )
        source, target = (printable(text) for text in made[0])
        logger.info(
            "augmentation: an epoch gets %s pairs beside %s of train, made anew in each, such as %s -> %s",
            *(f"{usable:,}", f"{len(self._pairs):,}", source, target),
        )

    def _encoded(self, made: Sequence[tuple[str, str]]) -> PairSequences:
        ids = self.tokenizers.encode_pairs([source for source, _ in made], [target for _, target in made])
        kept = [pair for pair in zip(*ids, strict=True) if self._usable(pair)]
        source, target = (TokenSequences.from_ids([pair[side] for pair in kept]) for side in (0, 1))
        return PairSequences(source, target)

    def _usable(self, pair: tuple[list[int], ...]) -> bool:
        fits = max(map(len, pair)) <= self.max_length and sum(len(ids) + 1 for ids in pair) <= self.max_tokens
        return fits and all(ids and UNK not in ids for ids in pair)
