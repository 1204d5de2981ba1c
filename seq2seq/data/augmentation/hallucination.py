"""Pairs with other letters where source and target are the same."""

import random
from collections.abc import Sequence

from seq2seq.data.augmentation.augmentation import (
    SHORTEST,
    Augmentation,
    Pair,
    letters_in_common,
    refuse_two_alphabets,
    stretches,
)
from seq2seq.data.examples import Example
from seq2seq.errors import UserError

_WITH_ENDS = 5  # characters of the longest stretch that is replaced to its ends


class Hallucination(Augmentation):
    """Words with a made-up stem (Anastasopoulos & Neubig 2019, sec. 3.2): its inflection stays.

    In every stretch of 3 or more characters that source and target have in common, each character is replaced with
    `probability`, by the same random one on both sides; the ends of stretches over 5 stay. Letters are drawn evenly
    from those of common stretches in train. Raises UserError if a value is out of range.
    """

    def __init__(self, *, amount: float = 1.0, probability: float = 0.5) -> None:
        super().__init__(amount=amount)
        if not 0 < probability <= 1:
            raise UserError(f"probability must be above 0 and at most 1, but is {probability}.")
        self.probability = probability
        self._letters: list[str] = []

    def learn(self, examples: Sequence[Example]) -> None:
        refuse_two_alphabets(examples)
        self._letters = letters_in_common(examples)

    def made(self, pair: Pair, draw: random.Random) -> Pair | None:
        source, target = map(list, pair)
        for of_source, of_target, size in stretches(*pair):
            if size < SHORTEST:
                continue
            kept = int(size > _WITH_ENDS)
            for place in range(kept, size - kept):
                if source[of_source + place].isspace() or draw.random() >= self.probability:
                    continue
                letter = draw.choice(self._letters)
                source[of_source + place] = target[of_target + place] = letter
        found = "".join(source), "".join(target)
        return None if found == pair else found
