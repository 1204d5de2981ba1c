"""Pairs spliced of the head of one and the tail of another."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

from seq2seq.data.augmentation.augmentation import Augmentation, Pair
from seq2seq.data.edits.edit_costs import INSERT, SUBSTITUTE
from seq2seq.data.edits.learning import learn_edits
from seq2seq.data.examples import Example
from seq2seq.data.text_kind import TextKind, kind_of
from seq2seq.errors import UserError

_LEARNT_FROM = 10_000  # pairs, which tell enough of which symbols belong together
_TRIES = 8  # of heads and tails, until two make a new source

Symbols = tuple[str, ...]
Cut = tuple[Symbols, Symbols, Symbols]  # symbols around it in the source, and one half of the source and of the target


class Splicing(Augmentation):
    """Words made of the head of one and the tail of another (Ryan & Hulden 2020), for pronunciation, say.

    Edits that turn sources into targets are learnt by expectation maximisation. A pair is cut where the cheapest of
    them belong to either side alone: between two symbols of the source that each stand for one of the target. The
    tail comes from a pair with a cut between the same `context` symbols on either side, ends of words counted as one.
    What is in train is not made. Raises UserError if the context is below 1.
    """

    def __init__(self, *, amount: float = 1.0, context: int = 2) -> None:
        super().__init__(amount=amount)
        if context < 1:
            raise UserError(f"context must be at least 1, but is {context}.")
        self.context = context
        self._between = ("", "")  # what stands between symbols of each side
        self._heads: dict[Pair, list[Cut]] = {}
        self._tails: defaultdict[Symbols, list[Cut]] = defaultdict(list)
        self._known: set[str] = set()

    def learn(self, examples: Sequence[Example]) -> None:
        pairs = [(example.source, target) for example in examples for target in example.targets]
        sides = [[pair[place] for pair in pairs] for place in (0, 1)]
        self._between = _between(sides[0], "sources"), _between(sides[1], "targets")
        self._known = {example.source for example in examples}
        cut = [[self._symbols(text, place) for text in sides[place]] for place in (0, 1)]
        for pair, source, target, edits in zip(pairs, *cut, _cheapest(*cut), strict=True):
            for here, there in cuts(edits):
                around = self._around(source, here)
                self._heads.setdefault(pair, []).append((around, source[:here], target[:there]))
                self._tails[around].append((around, source[here:], target[there:]))

    def made(self, pair: Pair, draw: random.Random) -> Pair | None:
        heads = self._heads.get(pair)
        if not heads:
            return None
        for _ in range(_TRIES):
            around, source, target = draw.choice(heads)
            _, of_source, of_target = draw.choice(self._tails[around])
            text = self._between[0].join(source + of_source)
            if text not in self._known:
                return text, self._between[1].join(target + of_target)
        return None

    def _symbols(self, text: str, place: int) -> Symbols:
        return tuple(text.split(self._between[place]) if self._between[place] else text)

    def _around(self, source: Symbols, place: int) -> Symbols:
        """The symbols on either side of a place, and an empty one at an end that is nearer."""
        ends = ("", *source, "")
        return ends[max(0, place + 1 - self.context) : place + 1 + self.context]


def cuts(edits: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Numbers of symbols of the source and of the target before each cut: between two substitutions."""
    read = written = 0
    for place, edit in enumerate(edits):
        if place and edit == edits[place - 1] == SUBSTITUTE:
            yield read, written
        read += edit != INSERT
        written += edit in (SUBSTITUTE, INSERT)


def _between(texts: Sequence[str], name: str) -> str:
    """The separator of symbols in these texts: a space, or nothing. Raises UserError at sentences."""
    kind = kind_of(texts)
    if kind == TextKind.SENTENCES:
        raise UserError(
            f"augmentation needs words or symbols on both sides to splice them, but {name} are sentences: leave it out."
        )
    return " " if kind == TextKind.SYMBOLS else ""


def _cheapest(source: Sequence[Symbols], target: Sequence[Symbols]) -> list[list[int]]:
    """The cheapest edits of all pairs, learnt from some of them; none where a side is empty."""
    sides, numbers = [], []
    for texts in (source, target):
        known = {symbol: number for number, symbol in enumerate(sorted({symbol for text in texts for symbol in text}))}
        sides.append([[known[symbol] for symbol in text] for text in texts])
        numbers.append(known)
    whole = [row for row, pair in enumerate(zip(*sides, strict=True)) if all(pair)]
    some = whole[:: max(1, len(whole) // _LEARNT_FROM)]
    same = [(number, numbers[1][symbol]) for symbol, number in numbers[0].items() if symbol in numbers[1]]
    sizes = len(numbers[0]), len(numbers[1])
    learnt = learn_edits([sides[0][row] for row in some], [sides[1][row] for row in some], sizes, same)
    found = learnt.costs.cheapest([sides[0][row] for row in whole], [sides[1][row] for row in whole])
    edits: list[list[int]] = [[] for _ in source]
    for row, own in zip(whole, found, strict=True):
        edits[row] = own
    return edits
