"""Interventions that a list of wishes comes to in a model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch

from seq2seq.errors import UserError
from seq2seq.interpretation.attention_change import AttentionChange
from seq2seq.interpretation.chosen_cells import check_layers, chosen_cells
from seq2seq.interpretation.gate_means import Means
from seq2seq.interpretation.intervention import (
    GateClamp,
    Intervention,
    UnitLesion,
    check_gate,
    find_cell,
    gate_widths,
    intervening,
)
from seq2seq.interpretation.other_input import GateOfOther, OtherInputs
from seq2seq.interpretation.trace import named_cells
from seq2seq.models.seq2seq import Seq2Seq

VALUES = {"zero": 0.0, "one": 1.0}
_MEASURED = ("mean", "other")
USUAL = (*VALUES, "mean")
_CONTENT = {"candidate", "peepholes"}  # no gates: they are set only where they are asked for


@dataclass(frozen=True)
class InterventionPlan:
    """Wishes for interventions, each to be tried alone: gates, what they are set to, cells, units, states, attention.

    With `steps`, each of cells is tried at each of these steps alone, and attention at none.
    Without `gates`, all that cells have but their candidates and peepholes; without `layers`, all cells; without
    `attention`, a cut context and even weights, where the model has them. Raises UserError at a value that is none.
    """

    gates: Sequence[str] | None = None
    to: Sequence[str | int | float] = USUAL
    layers: Sequence[str] | None = None
    units: Sequence[int] | None = None
    state: Sequence[str] = ()
    attention: Sequence[str] | None = None
    seed: int = 12345
    steps: Sequence[int] | None = None

    def __post_init__(self) -> None:
        check_layers(self.layers)
        for name, chosen in (("units", self.units), ("steps", self.steps)):
            if chosen is not None and not chosen:
                raise UserError(f"{name} must have at least one, or be null for all, but is [].")
        for value in self.to:
            if not (_is_number(value) or value in (*VALUES, *_MEASURED)):
                raise UserError(f"to must be of zero, one, mean, other and numbers, but has {value!r}.")
        if not self.to and (self.gates is None or self.gates):
            raise UserError("to must have at least one, or nothing is set: give some, or leave gates out by gates=[].")
        for step in self.steps or ():
            if type(step) is not int or step < 0:
                raise UserError(f"steps must be whole numbers of at least 0, but has {step!r}.")
        if self.steps is not None and self.attention:
            raise UserError("attention must be left out with steps, which are those of cells: give one of them.")
        self._refuse_what_is_of_no_gate()

    def _refuse_what_is_of_no_gate(self) -> None:
        if self.gates is None or self.gates:
            return
        if self.to and (*self.to,) != USUAL:
            raise UserError(f"to must be left out with gates=[], as no gate is set, but is {[*self.to]}.")
        if not self.state:
            self._refuse_what_is_of_cells()

    def _refuse_what_is_of_cells(self) -> None:
        for name, chosen in (("layers", self.layers), ("units", self.units), ("steps", self.steps)):
            if chosen is not None:
                raise UserError(
                    f"{name} must be left out where no gate or state of a cell is changed, but is {[*chosen]}: name "
                    "gates or a state, or leave it out."
                )

    @property
    def needs_means(self) -> bool:
        """Tell whether gates are to be set to their means."""
        return "mean" in self.to and (self.gates is None or bool(self.gates))

    def interventions(self, model: Seq2Seq, others: OtherInputs, means: Means | None = None) -> list[Intervention]:
        """The interventions in a model, cell by cell from the bottom of the encoder, attention last.

        A mean is left out of a gate that has none, as it is set more than once in a step; before any is known, 0
        stands for each. Raises UserError at what the model has not, and where a wish comes to nothing.
        """
        of_cells = [*self._of_cells(model, means, others)]
        if not of_cells and self.gates and means is not None:
            raise UserError(
                f"to must hold another value than mean for {', '.join(self.gates)}, which have none, as they are set "
                "several times in a step: give a number."
            )
        if not of_cells:
            self._refuse_what_is_of_cells()
        found = [*of_cells, *self._of_attention(model)]
        if not found and self._asks:
            raise UserError(
                "gates, state and attention must come to a change, but none is left of them in this model: give "
                "state=[silence], or gates=[candidate], say."
            )
        for intervention in found:
            with intervening(model, intervention):  # where something is amiss, it shows before the long part
                pass
        return found

    @property
    def _asks(self) -> bool:
        return any(wish is None or bool(wish) for wish in (self.gates, self.state, self.attention))

    def _of_cells(self, model: Seq2Seq, means: Means | None, others: OtherInputs) -> Iterator[Intervention]:
        names = chosen_cells(model, self.layers, named_cells(model))
        units = None if self.units is None else tuple(self.units)
        steps: Sequence[int | None] = self.steps or [None]
        for name, gates in self._gates(model, names).items():
            for gate, value, step in product(gates, self.to, steps):
                if value == "other":
                    yield GateOfOther(name, gate, others, units, step)
                elif value != "mean":
                    number = VALUES[value] if isinstance(value, str) else float(value)
                    yield GateClamp(name, gate, number, units, step=step)
                elif means is None or (name, gate) in means:
                    yield GateClamp(name, gate, 0.0 if means is None else means[name, gate], units, "mean", step)
            for manner, step in product(self.state, steps):
                yield UnitLesion(name, manner, units, step)

    def _gates(self, model: Seq2Seq, names: Sequence[str]) -> dict[str, list[str]]:
        """The gates to set of every cell. Raises UserError at one that a named cell lacks, or all cells do."""
        widths = {name: gate_widths(find_cell(model, name)) for name in names}
        if self.gates is None:
            return {name: [gate for gate in own if gate not in _CONTENT] for name, own in widths.items()}
        for gate in self.gates:
            if self.layers is not None or not any(gate in own for own in widths.values()):
                for name, own in widths.items():
                    check_gate(name, gate, own)
        return {name: [gate for gate in self.gates if gate in own] for name, own in widths.items()}

    def _of_attention(self, model: Seq2Seq) -> Iterator[Intervention]:
        attention: Any = model.decoder.attention
        manners = self.attention
        if self.steps is not None:
            return
        if manners is None:
            manners = [*(["cut"] if attention.attends else []), *(["even"] if attention.normalizes else [])]
        for manner in manners:
            yield AttentionChange(manner, self.seed)


def value_name(value: str | int | float) -> str:
    """The name of a value of `to` in rows of results: a number for all words and forms that mean it."""
    number = VALUES.get(value) if isinstance(value, str) else value
    return str(value) if number is None else f"{number + 0.0:g}"


def _is_number(value: Any) -> bool:
    """Tell whether a value is a number that float32 can hold."""
    return type(value) in (int, float) and bool(abs(value) <= torch.finfo(torch.float32).max)
