"""Clipping of every gate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.interpretation.trace import named_cells
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.gradients.transformation import GradientTransformation, global_norm

_EPSILON = 1e-6  # torch's own, where it clips by norm


@dataclass(frozen=True)
class _Rows:
    """Rows of a parameter."""

    parameter: nn.Parameter
    rows: Any  # a slice, a tensor of numbers, or `...` for the whole, which may be a single number

    @property
    def gradient(self) -> Tensor | None:
        return None if self.parameter.grad is None else self.parameter.grad[self.rows]


class ClipByGate(GradientTransformation):
    """Clipping of each gate's gradient g as one vector: g <- g min(1, max_norm / ||g||), as of Pascanu et al. 2013.

    The vector is made of a gate's rows of its cell's input matrix, recurrent matrix and biases, and its norm is what
    the gate monitor logs. A parameter outside of gates is a vector of its own. A gate that explodes thus leaves the
    others their rate, which a global norm would take from them. Raises UserError if max_norm is not above 0.
    """

    def __init__(self, *, max_norm: float = 0.5) -> None:
        check_finite(max_norm=max_norm)
        if max_norm <= 0:
            raise UserError(f"max_norm must be above 0, but is {max_norm}: for gradients as they are, choose none.")
        self.max_norm = max_norm
        self._gates: list[list[_Rows]] = []

    def prepare(self, model: Seq2Seq) -> None:
        """Find the gates of every cell of the model."""
        self._gates = [gate for cell in named_cells(model).values() for gate in _gates(cell)]

    def __call__(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor:
        norm = global_norm(parameters)
        of_gates = {id(rows.parameter) for gate in self._gates for rows in gate}
        whole = [[_Rows(one, ...)] for one in parameters if id(one) not in of_gates]
        for vector in [*self._gates, *whole]:
            self._clip([rows for rows in vector if rows.gradient is not None])
        return norm

    def _clip(self, vector: list[_Rows]) -> None:
        if not vector:
            return
        norm = torch.stack([rows.gradient.norm() for rows in vector if rows.gradient is not None]).norm()
        scale = (self.max_norm / (norm + _EPSILON)).clamp(max=1.0)
        for one in vector:
            assert one.parameter.grad is not None
            one.parameter.grad[one.rows] *= scale


def _gates(cell: Cell) -> Iterator[list[_Rows]]:
    """The rows of each gate, none of them twice, and then what belongs to no gate, parameter by parameter."""
    free = {one: torch.ones(one.shape[:1], dtype=torch.bool) for one in cell.parameters()}
    for view in cell.gates.values():
        gate = []
        for one in (view.input_parameter, view.recurrent_parameter, *view.bias_parameters):
            if one is not None and one in free and bool(free[one][view.rows].all()):
                free[one][view.rows] = False
                gate.append(_Rows(one, view.rows))
        yield gate
    for one, left in free.items():
        if bool(left.any()):
            yield [_Rows(one, ... if bool(left.all()) else left.nonzero()[:, 0])]
