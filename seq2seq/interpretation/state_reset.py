"""An intervention that leaves a cell no past."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from seq2seq.interpretation.attention_past import earlier_query
from seq2seq.interpretation.intervention import Intervention, find_cell
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.models.seq2seq import Seq2Seq


@dataclass(frozen=True)
class StateReset(Intervention):
    """The state of one cell, at 0 before every step: what it reads is all that it knows.

    So is the query, where attention is asked by the state of this cell before. Where attention has looked, it knows.
    """

    cell: str

    @property
    def place(self) -> str:
        return self.cell

    @property
    def change(self) -> str:
        return "reset"

    @contextmanager
    def applied(self, model: Seq2Seq) -> Iterator[None]:
        """A context in which nothing is handed on from step to step."""

        def forget(_: Cell, given: tuple[Any, ...]) -> tuple[Any, ...]:
            projected, state, *rest = given
            return projected, type(state)(*map(torch.zeros_like, state)), *rest

        cell = find_cell(model, self.cell)
        asks = cell in model.decoder.layers[-1:]
        handle = cell.register_forward_pre_hook(forget)
        try:
            with earlier_query(model.decoder, torch.zeros_like) if asks else nullcontext():
                yield
        finally:
            handle.remove()
