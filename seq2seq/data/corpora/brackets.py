"""Nested brackets, some of them left open, to be closed."""

import random

from seq2seq.data.corpora.synthetic import check_sizes
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.errors import UserError

_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"))
_TRIES = 100  # for each string that is wanted: where so many are known, there are hardly others


class BracketCorpus:
    """A corpus of beginnings of Dyck words: brackets of some kinds, well nested, of which some are left open.

    The target closes these, the innermost first. From `min_depth` to `max_depth` are left open, each number as often,
    no more than `max_depth` are ever open together, and no string has more than `max_length` brackets. No string is in
    two splits. Raises UserError if a value is out of range.
    """

    def __init__(
        self,
        *,
        train_size: int = 20_000,
        dev_size: int = 500,
        test_size: int = 500,
        kinds: int = 3,
        min_depth: int = 1,
        max_depth: int = 5,
        max_length: int = 20,
        seed: int = 1,
    ) -> None:
        if not 1 <= kinds <= len(_BRACKETS):
            raise UserError(f"kinds must be between 1 and {len(_BRACKETS)}, but is {kinds}.")
        if not 1 <= min_depth <= max_depth:
            raise UserError(f"min_depth must be between 1 and max_depth={max_depth}, but is {min_depth}.")
        if max_length < max_depth:
            raise UserError(f"max_length must be at least max_depth={max_depth}, but is {max_length}.")
        check_sizes(train_size, dev_size, test_size)
        self.sizes = train_size, dev_size, test_size
        self.brackets = _BRACKETS[:kinds]
        self.depths, self.max_length = (min_depth, max_depth), max_length
        self.seed = seed

    def load(self) -> Splits:
        """The splits, with a space between symbols. Raises UserError if there are too few strings."""
        train, dev, _ = self.sizes
        draw, wanted = random.Random(self.seed), sum(self.sizes)
        found: dict[str, str] = {}
        for _ in range(_TRIES * wanted):
            if len(found) == wanted:
                break
            source, target = self._drawn(draw)
            found[source] = target
        else:
            raise UserError(
                f"train_size + dev_size + test_size must be less, as strings of up to {self.max_length} brackets are "
                f"few, but is {wanted}: raise max_length or max_depth."
            )
        examples = Examples.of(Example(source, (target,)) for source, target in found.items())
        return Splits(examples[:train], examples[train : train + dev], examples[train + dev :])

    def _drawn(self, draw: random.Random) -> tuple[str, str]:
        """A string, and what closes it."""
        depth = draw.randint(*self.depths)
        closings = draw.randint(0, (self.max_length - depth) // 2)
        openings, open_now, symbols = depth + closings, list[str](), list[str]()
        while openings + closings:
            possible = bool(openings) and len(open_now) < self.depths[1]
            if possible and (not open_now or draw.random() * (openings + closings) < openings):
                opening, closing = draw.choice(self.brackets)
                open_now.append(closing)
                symbols.append(opening)
                openings -= 1
            else:
                symbols.append(open_now.pop())
                closings -= 1
        return " ".join(symbols), " ".join(reversed(open_now))
