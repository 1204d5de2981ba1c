"""Examples, each a source with its acceptable targets, and how a corpus is split."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from seq2seq.errors import UserError


@dataclass(frozen=True)
class Example:
    """A source text and every target text that answers it."""

    source: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Splits:
    """Examples to learn from, to select by, and to report on (possibly none)."""

    train: list[Example]
    dev: list[Example]
    test: list[Example] = field(default_factory=list)


def group(pairs: Iterable[tuple[str, str]]) -> list[Example]:
    """Examples, one per distinct source, in order of first appearance, with its distinct targets."""
    targets: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        targets.setdefault(source, {})[target] = None
    return [Example(source, tuple(known)) for source, known in targets.items()]


def shuffled(examples: Sequence[Example], seed: int) -> list[Example]:
    """A copy of the examples in an order that depends on them and the seed alone."""
    order = sorted(examples, key=lambda example: (example.source, example.targets))
    random.Random(seed).shuffle(order)
    return order


def hold_out(examples: Sequence[Example], dev_size: int, seed: int) -> Splits:
    """Splits with `dev_size` random examples in dev and the others in train.

    An example of the others whose source is in dev too is in neither. Raises UserError if `dev_size`
    leaves dev or train without any.
    """
    if not 0 < dev_size < len(examples):
        raise UserError(
            f"dev_size must be between 1 and {len(examples) - 1} (one less than the examples at hand), "
            f"but is {dev_size}."
        )
    order = shuffled(examples, seed)
    dev = order[:dev_size]
    seen = {example.source for example in dev}
    return Splits(train=[example for example in order[dev_size:] if example.source not in seen], dev=dev)
