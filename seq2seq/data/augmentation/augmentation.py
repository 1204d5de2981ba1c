"""The interface of augmentations, and what source and target of a pair have in common."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from rapidfuzz.distance import Levenshtein

from seq2seq.data.examples import Example
from seq2seq.errors import UserError, check_finite

Pair = tuple[str, str]
Stretch = tuple[int, int, int]  # where it begins in the source and in the target, and how long it is

SHORTEST = 3  # characters of a stretch that is no accident
_LEAST_SHARE = 0.25  # of pairs with such a stretch, where both sides have one alphabet


class Augmentation(ABC):
    """Makes pairs from those of train: `amount` for each, a whole number or, of the rest, by chance.

    What is made of a pair is a function of the seed, the epoch and the pair's number. Raises UserError if the amount is
    not above 0.
    """

    def __init__(self, *, amount: float) -> None:
        check_finite(amount=amount)
        if amount <= 0:
            raise UserError(f"amount must be above 0, but is {amount}: for none, choose augmentation none.")
        self.amount = amount

    @abstractmethod
    def learn(self, examples: Sequence[Example]) -> None:
        """Find in train what is needed. Raises UserError at data that this augmentation does not suit."""

    @abstractmethod
    def made(self, pair: Pair, draw: random.Random) -> Pair | None:
        """A pair made from one; None where that one cannot be made from."""

    def epoch(self, pairs: Iterable[Pair], seed: int, number: int) -> list[Pair]:
        """The pairs made for an epoch."""
        return list(self.one_by_one(pairs, seed, number))

    def one_by_one(self, pairs: Iterable[Pair], seed: int, number: int) -> Iterator[Pair]:
        """The pairs made for an epoch, without a list of them."""
        for place, pair in enumerate(pairs):
            draw = random.Random(f"{seed} {number} {place}")  # by its hash: the same in every process
            count = int(self.amount) + (draw.random() < self.amount % 1)
            yield from (made for _ in range(count) if (made := self.made(pair, draw)) is not None)


def stretches(source: str, target: str) -> list[Stretch]:
    """Common stretches of an alignment with the fewest edits, as they come."""
    blocks = Levenshtein.editops(source, target).as_matching_blocks()
    return [(block.a, block.b, block.size) for block in blocks if block.size]


def refuse_two_alphabets(examples: Sequence[Example]) -> None:
    """Raise UserError if few pairs have a stretch in common that is no accident."""
    pairs = [(example.source, target) for example in examples for target in example.targets]
    alike = sum(any(size >= SHORTEST for *_, size in stretches(*pair)) for pair in pairs)
    if alike < _LEAST_SHARE * len(pairs):
        raise UserError(
            f"augmentation needs sources and targets of one alphabet that have parts in common, but only {alike} of "
            f"{len(pairs)} pairs share {SHORTEST} characters in a row: leave it out."
        )


def letters_in_common(examples: Sequence[Example]) -> list[str]:
    """The characters of common stretches, but for white space, sorted."""
    found = {
        character
        for example in examples
        for target in example.targets
        for start, _, size in stretches(example.source, target)
        if size >= SHORTEST
        for character in example.source[start : start + size]
    }
    return sorted(character for character in found if not character.isspace())
