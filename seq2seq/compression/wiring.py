"""Unit that every place of every weight belongs to."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

Units = Int[Tensor, " _"]  # the number of the unit at each place of a vector; FIXED where it is none that can go
Gone = Bool[Tensor, " unit"]  # whether each unit is removed
FIXED = -1


class Wiring:
    """Units of a model, and the places of its weights that belong to each.

    A vector inside of a model is a row of units. Vectors that are added, or multiplied with each other, are `tied`:
    what stands at one place of both is one unit. A weight is `placed` by the vectors along its axes.
    """

    def __init__(self, model: nn.Module) -> None:
        self._names = {id(weight): name for name, weight in model.named_parameters()}
        every = list(model.named_parameters(remove_duplicate=False))
        self._aliases = {name: [other for other, own in every if own is weight] for name, weight in every}
        self._axes: dict[str, list[Units]] = {}
        self._one = torch.zeros(0, dtype=torch.long)  # of each unit, the first that it is one with

    def units(self, size: int) -> Units:
        """A vector of so many new units."""
        fresh = torch.arange(len(self._one), len(self._one) + size)
        self._one = torch.cat([self._one, fresh])
        return fresh

    def tie(self, vector: Units, other: Units) -> None:
        """Make units at the same place of two vectors one; what is one with a place that cannot go, cannot either."""
        for one, two in zip(self.found(vector).tolist(), self.found(other).tolist(), strict=True):
            first, second = sorted(int(self.found(torch.tensor([unit]))) for unit in (one, two))
            if first != second:
                self._one[self._one == second] = first

    def found(self, vector: Units) -> Units:
        """The vector by the units that each is one with."""
        kept = vector.clamp(min=0)
        return torch.where(vector < 0, vector, self._one[kept]) if len(self._one) else vector

    def place(self, weight: Tensor, *axes: Units) -> None:
        """Tell what a weight's axes are made of. One that is placed twice, as tied ones are, has its axes tied."""
        name = self._names[id(weight)]
        for before, now in zip(self._axes.get(name, []), axes, strict=False):
            self.tie(before, now)
        self._axes[name] = list(axes)

    def _placed(self) -> Iterator[tuple[str, int, Units]]:
        """Names of the weights that belong to units, and what each of their axes is made of."""
        for name, axes in self._axes.items():
            yield from ((name, number, self.found(axis)) for number, axis in enumerate(axes))

    @property
    def count(self) -> int:
        """The number of units that can go."""
        return len(self._one.unique()) - bool((self._one < 0).any())

    def left(self, gone: Gone) -> int:
        """The number of units that could still go when some have."""
        return sum(1 for unit in self._one.unique().tolist() if unit >= 0 and not gone[unit])

    def norms(self, weights: dict[str, Tensor]) -> Float[Tensor, " unit"]:
        """Euclidean norm of all that belongs to each unit: its rows and columns in every weight."""
        squares = torch.zeros(len(self._one), dtype=torch.double)
        for name, number, axis in self._placed():
            square, own = weights[name].detach().double().cpu().square(), axis >= 0
            sums = square.movedim(number, 0).reshape(len(axis), -1).sum(1)
            squares.index_add_(0, axis[own], sums[own])
        return squares.sqrt()

    def without(self, weights: dict[str, Tensor], gone: Gone) -> dict[str, Tensor]:
        """The weights without rows and columns of the units that are gone."""
        found = dict(weights)
        for name, number, axis in self._placed():
            left = self.stays(axis, gone).nonzero().squeeze(1)
            found |= dict.fromkeys(self._aliases[name], found[name].index_select(number, left))
        return found

    def emptied(self, weights: dict[str, Tensor], gone: Gone) -> dict[str, Tensor]:
        """The weights with zeros in rows and columns of the units that are gone."""
        found = dict(weights)
        for name, number, axis in self._placed():
            empty = (~self.stays(axis, gone)).nonzero().squeeze(1)
            found |= dict.fromkeys(self._aliases[name], found[name].index_fill(number, empty, 0))
        return found

    def stays(self, vector: Units, gone: Gone) -> Bool[Tensor, " places"]:
        """Tell which places of a vector are left."""
        vector = self.found(vector)
        return (vector < 0) | ~gone[vector.clamp(min=0)]


def fixed(size: int) -> Units:
    """A vector none of whose places can go."""
    return torch.full((size,), FIXED)


def joined(vectors: Sequence[Units]) -> Units:
    """Vectors side by side."""
    return torch.cat(list(vectors))
