"""Values of the units of cells at every step of many lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.interpretation.trace import CellTrace, trace
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Lengths, Source, TargetIds


@dataclass(frozen=True)
class CellSteps:
    """The units of one cell, a row for each step of each line, one line behind the other."""

    name: str
    side: str
    units: Float[Tensor, "steps units"]


class UnitSteps:
    """Steps of a model's cells, of some or all, gathered batch by batch on the CPU.

    A unit is a number of the memory, or of the hidden state where the memory has not one number for each unit.
    """

    def __init__(self, model: Seq2Seq, names: Sequence[str] | None = None) -> None:
        self.model, self.names = model, names
        self._parts: dict[str, list[Tensor]] = {}
        self._sides: dict[str, str] = {}

    def add(self, source: Source, lengths: Lengths, target: TargetIds) -> None:
        """Gather the steps of a model that is forced through targets, `batch target`, which begin with BOS."""
        for name, cell in trace(self.model, source, lengths, target).cells.items():
            if self.names is None or name in self.names:
                self._sides[name] = cell.side
                self._parts.setdefault(name, []).append(units_of(cell)[cell.mask].float().cpu())

    def cells(self) -> list[CellSteps]:
        """The steps that were gathered, cell by cell."""
        return [CellSteps(name, self._sides[name], torch.cat(parts)) for name, parts in self._parts.items()]


def units_of(cell: CellTrace) -> Float[Tensor, "batch time units"]:
    """Values of a cell's units: its memory, or its hidden state where that alone has a number for each unit."""
    return cell.memory if cell.memory.shape == cell.hidden.shape else cell.hidden
