"""Splits by the hash of the source, and the fingerprints that they are known by."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series
from seq2seq.errors import UserError, shown

_RANKS = 1 << 64
_MOST_HELD_OUT = 1000  # examples, where no number is asked for


def rank(source: str, seed: int) -> float:
    """The place of a source between 0 and 1, by its hash with the seed.

    It depends on no other source, so that lines that are added move none. Sources that differ in their form alone
    (NFKC, white space at the ends) have one place, and so are never on both sides of a split.
    """
    text = unicodedata.normalize("NFKC", source).strip()
    return int.from_bytes(hashlib.blake2b(f"{seed} {text}".encode(), digest_size=8).digest()) / _RANKS


def ranked(examples: Sequence[Example], seed: int) -> list[tuple[float, Example]]:
    """The examples behind their places, in an order that depends on them and the seed alone."""
    stored = Examples.of(examples)
    places, rows = placed(stored, seed)
    return list(zip(places.tolist(), stored.chosen(rows), strict=True))


def placed(examples: Examples, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The places of examples, ascending, and the row of each; where places are alike, texts decide."""
    places = np.fromiter((rank(example.source, seed) for example in examples), np.float64, len(examples))
    rows = np.argsort(places, kind="stable")
    places = places[rows]
    alike = np.flatnonzero(places[1:] == places[:-1])
    for stretch in np.split(alike, np.flatnonzero(np.diff(alike) > 1) + 1) if len(alike) else ():
        own = slice(stretch[0], stretch[-1] + 2)
        found = zip(rows[own].tolist(), examples.chosen(rows[own]), strict=True)
        rows[own] = [row for row, _ in sorted(found, key=lambda one: (one[1].source, one[1].targets))]
    return places, rows


def hold_out(examples: Sequence[Example], dev_size: int | None, seed: int, below: float | None = None) -> Splits:
    """Splits with the examples whose place is below a bound in dev, and the others in train.

    Without a bound it is the one that leaves `dev_size` in dev, or a few more where sources repeat; at None that is a
    tenth of the examples, at least 1 and at most 1000. Raises UserError if there is none that leaves some in both.
    """
    stored = Examples.of(examples)
    places, rows = placed(stored, seed)
    if below is None:
        tenth = min(max(len(examples) // 10, 1), _MOST_HELD_OUT)
        below = _bound(places, tenth if dev_size is None else dev_size, stored[0].source if len(stored) == 1 else "")
    held_out = int(np.searchsorted(places, below))
    return Splits(stored.chosen(rows[held_out:]), stored.chosen(rows[:held_out]), held_out_below=below)


def sample(examples: Sequence[Example], max_dev_examples: int, seed: int) -> Sequence[Example]:
    """The examples of the lowest places, in their own order; all of them where they are no more than that.

    Raises UserError if there would be none.
    """
    if max_dev_examples < 1:
        raise UserError(f"max_dev_examples must be at least 1, or null for all, but is {max_dev_examples}.")
    if len(examples) <= max_dev_examples:
        return examples
    stored = Examples.of(examples)
    return stored.chosen(np.sort(placed(stored, seed)[1][:max_dev_examples]))


def _bound(places: np.ndarray, dev_size: int, only: str = "") -> float:
    """The first of the sorted places that is above those of `dev_size` examples, of which one may be the only one."""
    if len(places) < 2:
        long = isinstance(only, Series)
        raise UserError(
            f"train must hold at least 2 sources to hold dev out of, but holds {len(places)}"
            f"{f', {shown(only)}' if only else ''}: {'cut a long series by seq2seq.windows' if long else 'add pairs'}, "
            "or give dev."
        )
    if not 0 < dev_size < len(places):
        raise UserError(
            f"dev_size must be between 1 and {len(places) - 1} (one less than the examples at hand), but is {dev_size}."
        )
    first = int(np.searchsorted(places, places[dev_size - 1], side="right"))
    if first < len(places):
        return float(places[first])
    raise UserError(f"dev_size must leave a source to train on, but {dev_size} of these examples takes all of them.")


@dataclass(frozen=True)
class Fingerprint:
    """Fingerprint of a split: how many examples it has, a hash of them, whatever their order, and one in their order.

    The latter knows the order of targets and the corpus of each, too; it is empty in what an earlier version wrote, and
    `longest`, the characters of the longest source, is 0 there.
    """

    examples: int
    digest: str
    order: str = ""
    longest: int = 0

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Fingerprint":
        """The fingerprint of a split."""
        total, ordered = 0, hashlib.blake2b(digest_size=8)
        for example in examples:
            whole = _hash(example.source, *sorted(example.targets), *_shown(example))
            total += int.from_bytes(whole)
            ordered.update(whole)
            if len(example.targets) > 1 or example.corpus:
                ordered.update(_hash(example.corpus, *example.targets))
        return cls(len(examples), f"{total % _RANKS:016x}", ordered.hexdigest(), longest_source(examples))

    def difference(self, now: "Fingerprint", *, ordered: bool = True) -> str:
        """Say how a split as it is now differs, in words; nothing where it is the same, perhaps but for its order."""
        if self.examples != now.examples:
            return f"{self.examples} examples then, {now.examples} now"
        if self.digest != now.digest:
            return f"as many examples, {now.examples}, but others"
        if ordered and self.order and now.order and self.order != now.order:
            return f"the same examples, {now.examples}, but in another order or of other corpora"
        return ""


def longest_source(examples: Sequence[Example]) -> int:
    """The number of characters of the longest source; 0 of series."""
    return max((len(text) for text in (one.source for one in examples) if not isinstance(text, Series)), default=0)


def _hash(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _shown(example: Example) -> list[str]:
    return [str(alignment) for alignment in example.alignments]


def fingerprints(splits: Splits) -> dict[str, dict[str, Any]]:
    """Fingerprints by the name of the split, in plain types."""
    return {name: vars(Fingerprint.of(getattr(splits, name))) for name in ("train", "dev", "test")}
