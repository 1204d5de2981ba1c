"""Tasks with known answers."""

import random
from collections.abc import Callable

from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.errors import UserError

TASKS: dict[str, Callable[[list[str]], list[str]]] = {
    "copy": lambda symbols: symbols,
    "reverse": lambda symbols: symbols[::-1],
    "sort": sorted,
}


def check_sizes(train_size: int, dev_size: int, test_size: int) -> None:
    """Raise UserError at a number of examples to learn from or to select by below 1, or to report on below 0."""
    for name, size, least in (("train_size", train_size, 1), ("dev_size", dev_size, 1), ("test_size", test_size, 0)):
        if size < least:
            raise UserError(f"{name} must be at least {least}, but is {size}.")


class SyntheticCorpus:
    """A corpus of random strings over the first `alphabet_size` letters, each copied, reversed or sorted as its target.

    No string is in two splits. Raises UserError if a value is out of range.
    """

    def __init__(
        self,
        *,
        task: str,
        train_size: int = 20_000,
        dev_size: int = 500,
        test_size: int = 500,
        alphabet_size: int = 12,
        min_length: int = 1,
        max_length: int = 12,
        seed: int = 1,
    ) -> None:
        if task not in TASKS:
            raise UserError(f"task must be one of {', '.join(TASKS)}, but is {task!r}.")
        if not 2 <= alphabet_size <= 26:
            raise UserError(f"alphabet_size must be between 2 and 26, but is {alphabet_size}.")
        if not 1 <= min_length <= max_length:
            raise UserError(f"min_length must be between 1 and max_length={max_length}, but is {min_length}.")
        check_sizes(train_size, dev_size, test_size)
        self.task = task
        self.sizes = train_size, dev_size, test_size
        self.alphabet = [chr(ord("a") + index) for index in range(alphabet_size)]
        self.lengths = min_length, max_length
        self.seed = seed

    def load(self) -> Splits:
        """The splits, with a space between symbols. Raises UserError if too many strings are asked for."""
        train, dev, _ = self.sizes
        strings = self._strings()
        examples = Examples.of(Example(" ".join(s), (" ".join(TASKS[self.task](list(s))),)) for s in strings)
        return Splits(examples[:train], examples[train : train + dev], examples[train + dev :])

    def _strings(self) -> list[str]:
        """Strings for all splits, no two alike."""
        wanted = sum(self.sizes)
        there_are = sum(len(self.alphabet) ** n for n in range(self.lengths[0], self.lengths[1] + 1))
        if wanted > there_are // 2:
            raise UserError(
                f"train_size + dev_size + test_size must be at most {there_are // 2}, half of all strings of "
                f"these lengths, but is {wanted}: raise max_length or alphabet_size."
            )
        draw = random.Random(self.seed)
        strings: dict[str, None] = {}
        while len(strings) < wanted:
            length = draw.randint(*self.lengths)
            strings["".join(draw.choices(self.alphabet, k=length))] = None
        return list(strings)
