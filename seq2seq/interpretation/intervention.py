"""Interventions: a model run with gates set, units stilled or attention changed, and left as it was."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.interpretation.recording import evaluating, visible
from seq2seq.interpretation.step_counter import StepCounter
from seq2seq.interpretation.trace import named_cells
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.models.seq2seq import Seq2Seq

LESIONS = ("silence", "freeze")


class Intervention(ABC):
    """A change of what a model computes, while a context lasts; its parameters are never touched."""

    step: int | None = None  # the only one of a cell's at which it is changed; null: all of them

    @property
    @abstractmethod
    def place(self) -> str:
        """The name of what is changed: a cell by its name in traces, or attention."""

    @property
    @abstractmethod
    def change(self) -> str:
        """The change in a few words."""

    @abstractmethod
    def applied(self, model: Seq2Seq) -> Any:
        """A context in which the model computes with the change. Raises UserError where there is nothing to change."""


@contextmanager
def intervening(model: Seq2Seq, *interventions: Intervention) -> Iterator[None]:
    """Change what a model computes, in evaluation mode, its cells on their visible path; all is as before at the end.

    Interventions that meet at one gate act one after the other. Without any, nothing is changed at all, and the fast
    path is kept. Raises UserError where a cell, gate or unit is not there.

    >>> import torch
    >>> from seq2seq.interpretation.intervention import GateClamp, gate_widths
    >>> from seq2seq.layers.recurrent.cells.gru import GRUCell
    >>> cell, inputs = GRUCell(3, 4), torch.randn(1, 5, 3)
    >>> gate_widths(cell)
    {'reset': 4, 'update': 4, 'candidate': 4}
    >>> with GateClamp("encoder 1 forward", "update", 1.0).on(cell), torch.no_grad():  # nothing new is let in
    ...     cell.fused = False
    ...     print(cell.unroll(inputs, cell.start(inputs))[0].abs().max().item())
    0.0
    """
    if not interventions:
        yield
        return
    with visibly(model), ExitStack() as stack:
        for intervention in interventions:
            stack.enter_context(intervention.applied(model))
        yield


@contextmanager
def visibly(model: Seq2Seq) -> Iterator[None]:
    """Run a model in evaluation mode, its cells on their visible path; all is as before at the end."""
    with evaluating(model), visible([*named_cells(model).values()]):
        yield


def gate_widths(cell: Cell) -> dict[str, int]:
    """Numbers of activations of each gate of a cell that can be set, by name; nothing where a cell shows none."""
    return {name: width for name, (width, _) in gates_of_a_step(cell).items()}


@torch.no_grad()
def gates_of_a_step(cell: Cell) -> dict[str, tuple[int, int]]:
    """The width of every gate that a step shows, and how often it does."""
    widths: dict[str, int] = {}
    times: Counter[str] = Counter()

    def note(name: str, activations: Tensor) -> Tensor:
        widths[name] = activations.shape[-1]
        times[name] += 1
        return activations

    inputs = next(cell.parameters()).new_zeros(1, cell.input_size)
    with holding(cell, note):
        cell(cell.project(inputs), cell.start(inputs))
    return {name: (width, times[name]) for name, width in widths.items()}


@contextmanager
def holding(cell: Cell, hold: Any) -> Iterator[None]:
    """Have a cell's gates pass through a function, behind those that they pass through already."""
    before = cell.hold
    try:
        cell.hold = hold if before is None else lambda name, own: hold(name, before(name, own))
        yield
    finally:
        del cell.hold  # that of the class, none, is seen again
        if before is not None:
            cell.hold = before


@dataclass(frozen=True)
class GateClamp(Intervention):
    """A gate of one cell, at all its steps, or one of them, at a value: one number, or one for each activation.

    With `units`, those of its activations alone. What follows from a gate follows from its new value: where as much is
    let in as is let go, the other share, too. `peepholes` are the weights by which gates see the memory. Raises
    UserError, once it is applied, at a cell, gate or unit that the model has not.
    """

    cell: str
    gate: str
    value: float | Float[Tensor, " units"]
    units: tuple[int, ...] | None = None
    named: str = ""  # what the value is, where a number does not say it
    step: int | None = None  # the only one of the cell at which it is so; null: all of them

    @property
    def place(self) -> str:
        return self.cell

    @property
    def change(self) -> str:
        return f"{self.gate} = {self.named or format(self.value, 'g')}"

    @contextmanager
    def applied(self, model: Seq2Seq) -> Iterator[None]:
        """A context in which the gate of the model's cell is at the value."""
        cell = find_cell(model, self.cell)
        with counted(model, cell, self.step) as steps, self.on(cell, steps):
            yield

    @contextmanager
    def on(self, cell: Cell, steps: StepCounter | None = None) -> Iterator[None]:
        """A context in which the gate is at the value, with counted steps at `step` alone. Raises UserError as said."""
        chosen = chosen_units(self.cell, self.gate, gate_widths(cell), self.units)

        def clamp(name: str, activations: Tensor) -> Tensor:
            if name != self.gate or (steps is not None and steps.step != self.step):
                return activations
            value = torch.as_tensor(self.value).to(activations)
            return torch.where(chosen.to(activations.device), value, activations)

        with holding(cell, clamp):
            yield


@dataclass(frozen=True)
class UnitLesion(Intervention):
    """Units of one cell, silenced to 0 at every step, or frozen at what they were before the first; null is all.

    Both what a unit shows and what it remembers, where the memory has one number for each unit. Raises UserError, once
    it is applied, at another manner, and at a cell or unit that the model has not.
    """

    cell: str
    manner: str
    units: tuple[int, ...] | None = None
    step: int | None = None  # the only one of the cell at which they are still; null: all of them

    @property
    def place(self) -> str:
        return self.cell

    @property
    def change(self) -> str:
        return self.manner

    @contextmanager
    def applied(self, model: Seq2Seq) -> Iterator[None]:
        """A context in which the units are still."""
        cell = find_cell(model, self.cell)
        if self.manner not in LESIONS:
            raise UserError(f"state must be of {', '.join(LESIONS)}, but has {self.manner!r}.")
        chosen = _mask_of(self.units, cell.hidden_size, self.cell)

        def still(_: Cell, given: tuple[Any, ...], step: tuple[Any, Any]) -> tuple[Any, Any]:
            if steps is not None and steps.step != self.step:
                return step
            before, (after, gates) = given[1], step
            parts = (_stilled(*own, chosen, self.manner) for own in zip(after, before, strict=True))
            return type(after)(*parts), gates

        with counted(model, cell, self.step) as steps:
            handle = cell.register_forward_hook(still)
            try:
                yield
            finally:
                handle.remove()


def _stilled(after: Tensor, before: Tensor, chosen: Tensor, manner: str) -> Tensor:
    """A part of a state after a step, with units as they were before it, or at 0."""
    if after.shape[-1] != len(chosen):  # a memory whose numbers are not of one unit each
        return after
    still = before if manner == "freeze" else torch.zeros_like(after)
    return torch.where(chosen.to(after.device), still.to(after), after)


def counted(model: Seq2Seq, cell: Cell, step: int | None) -> AbstractContextManager[StepCounter | None]:
    """A context that counts a cell's steps where one of them is asked for."""
    return nullcontext() if step is None else StepCounter().of(model, cell)


def chosen_units(cell: str, gate: str, widths: dict[str, int], units: Sequence[int] | None) -> Tensor:
    """A mask of units of a gate, all of them for None. Raises UserError at a gate or unit that the cell has not."""
    check_gate(cell, gate, widths)
    return _mask_of(units, widths[gate], f"the {gate} gate of {cell}")


def find_cell(model: Seq2Seq, name: str) -> Cell:
    """The cell of a name in traces. Raises UserError, with those that there are, where there is none."""
    cells = named_cells(model)
    if name not in cells:
        known = ", ".join(own.replace(" ", ".") for own in cells)
        raise UserError(f"layers must be of {known}, but has {name.replace(' ', '.')}.")
    return cells[name]


def check_gate(cell: str, gate: str, widths: dict[str, int]) -> None:
    """Raise UserError, with the gates that a cell has, where it lacks one."""
    if not widths:
        raise UserError(f"gates must be of a cell that shows them, and {cell} shows none: send them through held().")
    if gate not in widths:
        raise UserError(f"gates must be of {', '.join(widths)}, those of {cell}, but has {gate}.")


def _mask_of(units: Sequence[int] | None, width: int, where: str) -> Tensor:
    """A mask of units, all of them for None. Raises UserError at one that is not there."""
    if units is None:
        return torch.ones(width, dtype=torch.bool)
    for unit in units:
        if not 0 <= unit < width:
            raise UserError(f"units must be between 0 and {width - 1}, the units of {where}, but has {unit}.")
    chosen = torch.zeros(width, dtype=torch.bool)
    chosen[list(units)] = True
    return chosen
