"""Oracle of what is best to do next, whatever was done before."""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from seq2seq.data.edits.edit_costs import PaddedPairs
from seq2seq.data.edits.edit_tokenizers import EditTokenizers
from seq2seq.edit_actions import DELETE
from seq2seq.symbols import EOS

_TIE = 1e-9
_KEPT = 1 << 16  # pairs whose costs are kept

Pair = tuple[tuple[int, ...], tuple[int, ...]]  # of source and target ids


class DynamicOracle:
    """The optimal next actions after any prefix of actions (after Makarov & Clematide 2018).

    What has been written cannot be undone: it is taken for that part of the target which it differs from by the fewest
    edits (Levenshtein); of several such parts, for the one from which the rest is cheapest. Optimal is every action
    that begins a cheapest way to the rest, by the learnt costs. After a prefix of the static oracle's own that is what
    it does next.
    """

    def __init__(self, tokenizers: EditTokenizers) -> None:
        self.actions, self.costs = tokenizers.target, tokenizers.costs
        self._table: list[list[float]] = self.costs.table.tolist()
        self._to_go: OrderedDict[Pair, list[list[float]]] = OrderedDict()

    def target(self, source: Sequence[int], actions: Sequence[int]) -> tuple[int, ...]:
        """The ids of what actions write for a source."""
        return tuple(index for index in self.actions.played(source, actions) if index is not None)

    def optimal(self, pairs: Sequence[Pair], prefixes: Sequence[Sequence[int]]) -> list[list[set[int]]]:
        """The optimal actions for every pair before each action of its prefix, and after the last."""
        self._learn(pairs)
        return [self._of_pair(pair, taken) for pair, taken in zip(pairs, prefixes, strict=True)]

    def _of_pair(self, pair: Pair, taken: Sequence[int]) -> list[set[int]]:
        (source, target), read, written = pair, 0, list(range(len(pair[1]) + 1))
        found = [self._best(pair, read, written)]
        for action in taken:
            (said,) = self.actions.played(source[read:], [action]) or [-1]
            if said != -1:
                written = _longer(written, said, target)
            read = min(read + self.actions.vocabulary.reads(action), len(source))
            found.append(self._best(pair, read, written))
        return found

    def _best(self, pair: Pair, read: int, written: list[int]) -> set[int]:
        """The optimal actions with so much read, and so many edits between what is written and each of its parts."""
        (source, target), to_go = pair, self._to_go[pair]
        fewest = min(written)
        places = [place for place, edits in enumerate(written) if edits == fewest]
        least = min(to_go[read][place] for place in places) + _TIE
        found: set[int] = set()
        for place in places:
            if to_go[read][place] <= least:
                found |= self._first_steps(source, target, to_go, read, place)
        return found

    def _first_steps(
        self, source: Sequence[int], target: Sequence[int], to_go: list[list[float]], read: int, place: int
    ) -> set[int]:
        """The actions that begin a cheapest way from a place of a pair to its end."""
        table, least, found = self._table, to_go[read][place] + _TIE, set()
        reads, writes = read < len(source), place < len(target)
        if not reads and not writes:
            found.add(EOS)
        if reads and table[source[read]][-1] + to_go[read + 1][place] <= least:
            found.add(DELETE)
        if writes and table[-1][target[place]] + to_go[read][place + 1] <= least:
            found.add(self.actions.vocabulary.insert(target[place]))
        if reads and writes and table[source[read]][target[place]] + to_go[read + 1][place + 1] <= least:
            found.add(self.actions.substitution(source[read], target[place])[0])
        return found

    def _learn(self, pairs: Sequence[Pair]) -> None:
        """Find the costs to go of pairs that are new, all at once, and forget those that were asked for longest ago."""
        own = dict.fromkeys(pairs)
        new = [pair for pair in own if pair not in self._to_go]
        if not new:
            return
        for pair in own.keys() & self._to_go.keys():
            self._to_go.move_to_end(pair)
        sides = [[pair[side] for pair in new] for side in (0, 1)]
        lengths = [torch.tensor([len(ids) for ids in side]) for side in sides]
        padded = [
            torch.tensor([[*ids, *[0] * (int(longest.max()) - len(ids))] for ids in side], dtype=torch.long)
            for side, longest in zip(sides, lengths, strict=True)
        ]
        together = PaddedPairs(padded[0], padded[1], lengths[0], lengths[1], torch.arange(len(new)))
        every = self.costs.to_go(together).tolist()
        self._to_go.update(zip(new, every, strict=True))
        while len(self._to_go) > max(_KEPT, len(own)):
            self._to_go.popitem(last=False)


def _longer(written: list[int], said: int | None, target: Sequence[int]) -> list[int]:
    """Edits between what is written and every beginning of the target, once one more piece is written."""
    found = [written[0] + 1]
    for place, wanted in enumerate(target):
        found.append(min(written[place + 1] + 1, found[place] + 1, written[place] + (said != wanted)))
    return found
