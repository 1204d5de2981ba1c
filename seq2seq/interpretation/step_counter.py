"""The number of the step that a cell is at, counted from the start of what it reads or writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.models.seq2seq import Seq2Seq


class StepCounter:
    """Counts the steps of one cell: the first is 0, and each source that a model starts on begins anew."""

    def __init__(self) -> None:
        self.step = -1

    @contextmanager
    def of(self, model: Seq2Seq, cell: Cell) -> Iterator["StepCounter"]:
        """A context in which the steps of a model's cell are counted."""
        handles = [model.encoder.register_forward_pre_hook(self._begin), cell.register_forward_pre_hook(self._count)]
        try:
            yield self
        finally:
            for handle in handles:
                handle.remove()

    def _begin(self, *_: Any) -> None:
        self.step = -1

    def _count(self, *_: Any) -> None:
        self.step += 1
