"""Wiring of parts that are made for two sizes, from how their weights grow with each."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from seq2seq.compression.wiring import Units, Wiring, fixed, joined
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.sru import SRUCell
from seq2seq.models.blank import blank

Make = Callable[[int, int], nn.Module]  # a part, of two sizes
Rows = dict[int, Units]  # what the first axis of weights is made of, by their identity


class Blocks(NamedTuple):
    """Counts of each of the two vectors, which a part was made for, in a size of it; neither, where it is another's."""

    first: int
    second: int

    def of(self, size: int, first: Units, second: Units) -> Units:
        """The vector of a size: copies of the first side by side, and then of the second."""
        found = joined([fixed(0), *[first] * self.first, *[second] * self.second])
        return found if len(found) == size else fixed(size)


class Growth:
    """Growth of the weights of a part with the two sizes that it is made for."""

    def __init__(self, make: Make, first: int, second: int) -> None:
        with blank("meta"):
            self.parts = make(first, second), make(2 * first, second), make(first, 2 * second)
        self._sizes = first, second

    def blocks(self, now: int, by_first: int, by_second: int) -> Blocks:
        """Blocks that a size is made of, that is `now`, and otherwise if one of the vectors is twice as long."""
        grown = ((by_first - now) / self._sizes[0], (by_second - now) / self._sizes[1])
        whole = all(part >= 0 and part == int(part) for part in grown)
        return Blocks(int(grown[0]), int(grown[1])) if whole else Blocks(0, 0)

    def axes(self, name: str) -> list[Blocks]:
        """Blocks that each axis of a weight is made of; nothing of this, where another size has no such weight."""
        weights = [dict(part.named_parameters()).get(name) for part in self.parts]
        shapes = [weight.shape for weight in weights if weight is not None]
        if len(shapes) < len(weights):
            return []
        return [self.blocks(*sizes) for sizes in zip(*shapes, strict=True)]


def place_part(
    wiring: Wiring, part: nn.Module, make: Make, first: Units, second: Units, rows: Rows | None = None
) -> None:
    """Place the weights of a part that was made for two vectors; `rows` is where what is known of some by identity."""
    if not any(True for _ in part.parameters()):
        return
    growth, known = Growth(make, len(first), len(second)), rows or {}
    for name, weight in part.named_parameters():
        axes = zip(growth.axes(name), weight.shape, strict=False)
        if vectors := [blocks.of(size, first, second) for blocks, size in axes]:
            wiring.place(weight, known.get(id(weight), vectors[0]), *vectors[1:])


class WiredCell(NamedTuple):
    """Vectors of a cell: what it puts out, its projected input, and the free parts of its state and all of them."""

    hidden: Units
    projected: Units
    free: Units
    state: Units


def wire_cell(wiring: Wiring, cell: Cell, make: Make, inputs: Units) -> WiredCell:
    """Place the weights of a cell that reads a vector, and return its own vectors."""
    hidden = wiring.units(cell.hidden_size)
    place_part(wiring, cell, make, inputs, hidden, _gate_rows(cell, hidden))
    growth = Growth(make, len(inputs), len(hidden))
    if isinstance(cell, SRUCell):
        _wire_highway(wiring, cell, inputs, hidden)
    return WiredCell(
        hidden,
        growth.blocks(*(_cell(part).projected_size for part in growth.parts)).of(cell.projected_size, inputs, hidden),
        _state(growth, [_cell(part).layout.free_sizes for part in growth.parts], hidden),
        _state(growth, [_cell(part).layout.sizes for part in growth.parts], hidden),
    )


def _wire_highway(wiring: Wiring, cell: SRUCell, inputs: Units, hidden: Units) -> None:
    """Wire what an input has past the gates: a matrix, or its own parts."""
    if isinstance(cell.skip, nn.Linear):
        wiring.place(cell.skip.weight, hidden, inputs)
    else:
        for part in inputs.split(len(hidden)):
            wiring.tie(part, hidden)


def _cell(part: nn.Module) -> Cell:
    assert isinstance(part, Cell)
    return part


def _state(growth: Growth, sizes: list[tuple[int, ...]], hidden: Units) -> Units:
    """The vector of parts of a state side by side."""
    each = zip(*sizes, strict=True)
    return joined([fixed(0), *(growth.blocks(*part)._replace(first=0).of(part[0], hidden, hidden) for part in each)])


def _gate_rows(cell: Cell, hidden: Units) -> Rows:
    """Blocks of rows of gates, where those are hidden units alone: rows of one unit may lie beside each other."""
    rows: Rows = {}
    for view in cell.gates.values():
        for weight in (view.input_parameter, view.recurrent_parameter, *view.bias_parameters):
            if weight is None:
                continue
            own = rows.setdefault(id(weight), fixed(len(weight)))
            places = torch.arange(len(weight))[view.rows]
            if len(places) % len(hidden) == 0:
                own[places] = hidden.repeat(len(places) // len(hidden))
    return {weight: own for weight, own in rows.items() if bool((own >= 0).all())}
