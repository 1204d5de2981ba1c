"""Sources with the mistakes that sources are seen to have."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rapidfuzz.distance import Levenshtein

from seq2seq.data.augmentation.augmentation import Augmentation, Pair, refuse_two_alphabets
from seq2seq.data.examples import Example
from seq2seq.errors import UserError, check_finite


class Noise(Augmentation):
    """Targets as they could have been written: pairs of such a source and the target itself.

    For every character of the targets, what stands for it in the sources of train is counted: itself, another one,
    nothing, or itself and more. A made source draws from these counts, those of changes times `strength`. Raises
    UserError if a value is out of range.
    """

    def __init__(self, *, amount: float = 1.0, strength: float = 1.0) -> None:
        check_finite(strength=strength)
        super().__init__(amount=amount)
        if strength <= 0:
            raise UserError(f"strength must be above 0, but is {strength}.")
        self.strength = strength
        self._written: dict[str, tuple[list[str], list[float]]] = {}

    def learn(self, examples: Sequence[Example]) -> None:
        refuse_two_alphabets(examples)
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for example in examples:
            for target in example.targets:
                for character, written in _written(example.source, target):
                    counts[character][written] += 1
        if all(set(own) == {character} for character, own in counts.items()):
            raise UserError(
                "augmentation needs sources that differ from their targets, but all are equal: leave it out."
            )
        for character, own in counts.items():
            weights = [count * (1.0 if text == character else self.strength) for text, count in own.items()]
            self._written[character] = list(own), weights

    def made(self, pair: Pair, draw: random.Random) -> Pair | None:
        source = "".join(self._draw(character, draw) for character in pair[1]).strip()
        return (source, pair[1]) if source else None

    def _draw(self, character: str, draw: random.Random) -> str:
        texts, weights = self._written.get(character, ([character], [1.0]))
        return draw.choices(texts, weights)[0]


def _written(source: str, target: str) -> Iterator[tuple[str, str]]:
    """Characters of the target, each with what stands for it in the source; more follows the one before."""
    found: list[list[str]] = []
    for step in Levenshtein.opcodes(target, source):
        text = source[step.dest_start : step.dest_end]
        if step.tag == "insert":
            if found:
                found[-1][1] += text
        else:
            size = step.src_end - step.src_start
            found += [[target[step.src_start + place], text[place : place + 1]] for place in range(size)]
    yield from ((character, written) for character, written in found)
