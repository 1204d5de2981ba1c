"""Pieces of words that are drawn: by a unigram model, or by merges that are left out.

SentencePiece draws too, but by numbers that are salted anew in each process, so that no run could be repeated.
"""

import heapq
import math
import re
from abc import ABC, abstractmethod
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random

_WORD = re.compile("\u2581[^\u2581]*|[^\u2581]+")  # with the space before it, as SentencePiece writes it
_PENALTY = 10.0  # of an unknown character, below the least score of a piece: SentencePiece's own
_KEPT = 1 << 16  # words whose ways are remembered


@dataclass(frozen=True)
class PieceTable:
    """Pieces of a tokenizer by text, each with id and score; `symbols` are those that are never cut."""

    pieces: dict[str, tuple[int, float]]
    symbols: Sequence[str]
    unknown: int


class DrawnPieces(ABC):
    """Pieces of texts, drawn word by word: the same random numbers give the same pieces, in any process."""

    def __init__(self, table: PieceTable) -> None:
        self.table = table
        longest_first = sorted(table.symbols, key=len, reverse=True)
        self._symbols = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None

    def __call__(self, surface: str, numbers: Random) -> list[int]:
        """The ids of a text in which spaces are written as SentencePiece does; neighbours that are unknown are one."""
        found: list[int] = []
        for place, part in enumerate(self._symbols.split(surface) if self._symbols else [surface]):
            if place % 2:  # between each two texts stands a symbol
                found.append(self.table.pieces[part][0])
            else:
                found += [index for word in _WORD.findall(part) for index in self.draw(word, numbers)]
        unknown = self.table.unknown
        return [one for before, one in zip([None, *found], found, strict=False) if not before == one == unknown]

    @abstractmethod
    def draw(self, word: str, numbers: Random) -> list[int]:
        """The ids of one word."""


@dataclass(frozen=True)
class _Ways:
    """Ways to come to a place of a word: what the last piece is, where it begins, and how likely each is, summed up."""

    ids: list[int]
    starts: list[int]
    shares: list[float]


class UnigramPieces(DrawnPieces):
    """Pieces by P(pieces)^alpha of a unigram model over all ways to cut a word (Kudo 2018).

    Forward sums of all ways to each place, then pieces from the end by their share (forward filtering, backward
    sampling), which is exact.
    """

    def __init__(self, table: PieceTable, alpha: float) -> None:
        super().__init__(table)
        self.alpha = alpha
        self._longest = max(map(len, table.pieces), default=1)
        self._least = min((score for _, score in table.pieces.values()), default=0.0) - _PENALTY
        self._ways = lru_cache(_KEPT)(self._find_ways)

    def draw(self, word: str, numbers: Random) -> list[int]:
        ways, place, found = self._ways(word), len(word), []
        while place:
            own = ways[place]
            taken = min(bisect(own.shares, numbers.random()), len(own.ids) - 1)
            found.append(own.ids[taken])
            place = own.starts[taken]
        return found[::-1]

    def _find_ways(self, word: str) -> list[_Ways]:
        sums, ways = [0.0], [_Ways([], [], [])]  # logarithms of the summed weights of all ways to each place
        for end in range(1, len(word) + 1):
            found = [
                (start, *self.table.pieces[piece])
                for start in range(max(0, end - self._longest), end)
                if (piece := word[start:end]) in self.table.pieces
            ]
            if word[end - 1] not in self.table.pieces:
                found.append((end - 1, self.table.unknown, self._least))
            logs = [sums[start] + self.alpha * score for start, _, score in found]
            most = max(logs)
            weights = [math.exp(one - most) for one in logs]
            total = sum(weights)
            sums.append(most + math.log(total))
            shares = list(accumulate(weight / total for weight in weights))
            ways.append(_Ways([index for _, index, _ in found], [start for start, _, _ in found], shares))
        return ways


class MergedPieces(DrawnPieces):
    """Pieces by merges of byte pair encoding, each left out with a probability (Provilkov et al. 2020)."""

    def __init__(self, table: PieceTable, dropout: float) -> None:
        super().__init__(table)
        self.dropout = dropout

    def draw(self, word: str, numbers: Random) -> list[int]:
        parts: list[str] = list(word)  # merged ones stand at the place of their first character, and "" behind it
        after = list(range(1, len(word) + 1))
        before = list(range(-1, len(word) - 1))
        agenda: list[tuple[float, int, str]] = []

        def note(left: int) -> None:
            if left >= 0 and after[left] < len(parts):
                pair = parts[left] + parts[after[left]]
                if pair in self.table.pieces:
                    heapq.heappush(agenda, (-self.table.pieces[pair][1], left, pair))

        for place in range(len(word) - 1):
            note(place)
        while agenda:
            _, left, pair = heapq.heappop(agenda)
            right = after[left] if parts[left] else len(parts)
            if right >= len(parts) or parts[left] + parts[right] != pair or numbers.random() < self.dropout:
                continue
            parts[left], parts[right] = pair, ""
            after[left] = after[right]
            if after[left] < len(parts):
                before[after[left]] = left
            note(before[left])
            note(left)
        unknown = (self.table.unknown, 0.0)
        return [self.table.pieces.get(part, unknown)[0] for part in parts if part]
