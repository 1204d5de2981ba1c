"""Costs of single edits, and the cheapest way from a source to its target."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from seq2seq.data.sequences import TokenSequences
from seq2seq.errors import UserError

SUBSTITUTE, DELETE, INSERT = range(3)
EDITS_PER_CHUNK = 1 << 17  # of a table of pairs, sources and targets at a time
_TIE = 1e-9  # costs that differ by less are equal: of equal ones a substitution comes first, then a deletion

Costs = Float[Tensor, "source_and_none target_and_none"]
Lattice = Float[Tensor, "pair source target"]  # a number of each place before, between and after symbols


@dataclass(frozen=True)
class PaddedPairs:
    """Pairs of ids, padded to `pair source` and `pair target`, their lengths and their numbers."""

    source: Int[Tensor, "pair source"]
    target: Int[Tensor, "pair target"]
    source_lengths: Int[Tensor, " pair"]
    target_lengths: Int[Tensor, " pair"]
    numbers: Int[Tensor, " pair"]

    @property
    def ends(self) -> Lattice:
        """Numbers that are 0 behind the last symbols of both sides, and infinity everywhere else."""
        rows = torch.arange(len(self.source))
        shape = len(self.source), self.source.shape[1] + 1, self.target.shape[1] + 1
        found = torch.full(shape, float("inf"), dtype=torch.float64)
        found[rows, self.source_lengths, self.target_lengths] = 0
        return found


@dataclass(frozen=True)
class EditCosts:
    """Costs of edits in nats, by symbol: `table[a, b]` is that of writing b for a.

    The last column is for deleting a, the last row for inserting b; their corner is of no use.
    """

    table: Costs

    @classmethod
    def from_bytes(cls, serialized: bytes) -> "EditCosts":
        """The costs that `serialized` has written. Raises UserError if they are of no edits."""
        table = np.load(io.BytesIO(serialized), allow_pickle=False)
        if table.ndim != 2 or table.dtype != np.float64 or min(table.shape) < 2 or np.isnan(table).any():
            raise UserError(f"costs of edits must be a table of numbers, but are {table.dtype} {list(table.shape)}.")
        return cls(torch.from_numpy(table))

    @property
    def serialized(self) -> bytes:
        """The costs as bytes, alike wherever they are written."""
        buffer = io.BytesIO()
        np.save(buffer, self.table.numpy(), allow_pickle=False)
        return buffer.getvalue()

    def to_go(self, pairs: PaddedPairs) -> Lattice:
        """The least cost from every place of a pair to its end: with i symbols read and j written, `pair i j`."""
        substitution, deletion, insertion = edits_of(self.table, pairs)
        # Costs of inserting all from j on: with them taken away, the least over later places is a running minimum.
        behind = functional.pad(insertion.flip(1).cumsum(1).flip(1), (0, 1))
        rest, rows = pairs.ends, []
        below = torch.full_like(rest[:, 0], float("inf"))
        for place in reversed(range(rest.shape[1])):
            least = rest[:, place]
            if place < pairs.source.shape[1]:
                least = least.minimum(below + deletion[:, place, None])
                diagonal = functional.pad(below[:, 1:] + substitution[:, place], (0, 1), value=float("inf"))
                least = least.minimum(diagonal)
            below = (least - behind).flip(1).cummin(1).values.flip(1) + behind
            rows.append(below)
        return torch.stack(rows[::-1], 1)

    def cheapest(self, source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]) -> list[list[int]]:
        """The cheapest edits of every pair, in the order of the source: SUBSTITUTE, DELETE or INSERT each."""
        found: list[list[int]] = [[]] * len(source)
        for pairs in chunks(source, target):
            for number, edits in zip(pairs.numbers.tolist(), self._walk(pairs), strict=True):
                found[number] = edits
        return found

    def _walk(self, pairs: PaddedPairs) -> list[list[int]]:
        to_go = functional.pad(self.to_go(pairs), (0, 1, 0, 1), value=float("inf"))
        edits = [functional.pad(costs, (0, 1), value=0.0) for costs in edits_of(self.table, pairs)]
        substitution, deletion, insertion = functional.pad(edits[0], (0, 0, 0, 1)), edits[1], edits[2]
        rows, taken = torch.arange(len(pairs.source)), []
        read, written = torch.zeros_like(rows), torch.zeros_like(rows)
        for _ in range(pairs.source.shape[1] + pairs.target.shape[1]):
            options = torch.stack(
                [
                    substitution[rows, read, written] + to_go[rows, read + 1, written + 1],
                    deletion[rows, read] + to_go[rows, read + 1, written] + _TIE,
                    insertion[rows, written] + to_go[rows, read, written + 1] + 2 * _TIE,
                ]
            )
            best = options.argmin(0)
            going = (read < pairs.source_lengths) | (written < pairs.target_lengths)
            read = read + (going & (best != INSERT))
            written = written + (going & (best != DELETE))
            taken.append(best.where(going, -1))
        every = torch.stack(taken, 1).tolist() if taken else [[]] * len(rows)
        return [[edit for edit in edits if edit >= 0] for edits in every]


def edits_of(table: Costs, pairs: PaddedPairs) -> tuple[Tensor, Tensor, Tensor]:
    """Entries of a table for the symbols of pairs: substitutions `pair source target`, deletions, insertions."""
    none = table.shape[0] - 1, table.shape[1] - 1
    substitution = table[pairs.source.unsqueeze(2), pairs.target.unsqueeze(1)]
    return substitution, table[pairs.source, none[1]], table[none[0], pairs.target]


def chunks(source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]) -> list[PaddedPairs]:
    """The pairs in padded parts, each small enough for a table of all of its places; like lengths come together."""
    sides = TokenSequences.from_ids(source), TokenSequences.from_ids(target)
    order = torch.from_numpy(np.lexsort((sides[1].lengths.numpy(), sides[0].lengths.numpy())))
    found = []
    while len(order):
        widest = [int(side.lengths[order].max()) + 1 for side in sides]
        rows, order = order.split([count := min(len(order), max(1, EDITS_PER_CHUNK // (widest[0] * widest[1]))),
                                   len(order) - count])  # fmt: skip
        (own, lengths), (other, other_lengths) = (side.padded(rows, end=False) for side in sides)
        found.append(PaddedPairs(own, other, lengths, other_lengths, rows))
    return found
