"""Records of what cells did at every step, taken while a model runs as it is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.memory import MemoryCell
from seq2seq.layers.recurrent.layer import RecurrentLayer
from seq2seq.masking import length_mask
from seq2seq.shapes import Lengths

Activations = Float[Tensor, "batch time _"]  # gates, hidden and cell state of one cell may differ in width


@dataclass(frozen=True)
class Steps:
    """Gates, hidden and cell state of one cell after each of some steps, `batch time units`, 0 behind a row's own."""

    gates: dict[str, Activations]
    hidden: Activations
    cell: Activations | None
    filled: Float[Tensor, "batch time"] | None = None  # how many values a memory beside the cell holds, if it has one

    @property
    def memory(self) -> Activations:
        """The state that the cell keeps from step to step: its cell state, or else its hidden state."""
        return self.hidden if self.cell is None else self.cell


class Record:
    """Notes what one cell gives at every call; the layer that owns it may say how long its sentences are."""

    def __init__(self, name: str, cell: Cell, layer: RecurrentLayer | None = None, direction: str = "forward") -> None:
        self.name = name
        self.cell = cell
        self.layer = layer
        self.direction = direction
        self.lengths: Lengths | None = None
        self.steps: list[tuple[Any, Any]] = []

    def hooks(self) -> Iterator[RemovableHandle]:
        """Handles of the hooks, which are registered one by one as they are asked for."""
        yield self.cell.register_forward_hook(self._note_step)
        if self.layer is not None:
            yield self.layer.register_forward_pre_hook(self._note_lengths)

    def _note_step(self, cell: Any, given: Any, step: tuple[Any, Any]) -> None:
        self.steps.append(step)

    def _note_lengths(self, layer: Any, given: tuple[Any, ...]) -> None:
        self.lengths = given[1]

    def take(self, lengths: Lengths) -> Steps:
        """Steps since the last that were taken, at least one, in the order of sentences that are so long."""
        states, gates = zip(*self.steps, strict=True)
        self.steps = []
        state = self._over_time(states, lengths)
        memory, filled = state.get("cell"), None
        if memory is not None and (carried := self.cell.layout.carried):
            filled = self.cell.store.filled(memory[..., -carried:]) if isinstance(self.cell, MemoryCell) else None
            memory = memory[..., :-carried]
        return Steps(self._over_time(gates, lengths), state["hidden"], memory, filled)

    def _over_time(self, steps: Sequence[Any], lengths: Lengths) -> dict[str, Activations]:
        """Activations as `batch time units` by name, of named tuples of each step's `batch units`, `batch 1 units`."""
        found = {}
        for name in steps[0]._fields:
            values = torch.stack([getattr(step, name).flatten(1) for step in steps], 1)
            if self.layer is not None:
                values = self.layer.in_order(self.direction, values, lengths)
            mask = length_mask(lengths, values.shape[1]).unsqueeze(-1)
            found[name] = torch.where(mask, values, values.new_zeros(()))
        return found


def encoder_records(encoder: nn.Module) -> list[Record]:
    """Records of the cells of an encoder, bottom first."""
    layers = [module for module in encoder.modules() if isinstance(module, RecurrentLayer)]
    return [
        Record(f"encoder {number} {direction}", cell, layer, direction)
        for number, layer in enumerate(layers, 1)
        for direction, cell in layer.directions.items()
    ]


@contextmanager
def recording(records: Sequence[Record]) -> Iterator[None]:
    """Have cells note their steps, on their visible path; all as before at the end."""
    handles: list[RemovableHandle] = []
    with visible([record.cell for record in records]):
        try:
            for record in records:
                handles.extend(record.hooks())
            yield
        finally:
            for handle in handles:
                handle.remove()


@contextmanager
def visible(cells: Sequence[Cell]) -> Iterator[None]:
    """Have cells take their visible path, step by step; all as before at the end."""
    fused = {cell: cell.fused for cell in cells}
    try:
        for cell in cells:
            cell.fused = False
        yield
    finally:
        for cell, flag in fused.items():
            cell.fused = flag


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and each part back into its own mode at the end."""
    training = {module: module.training for module in model.modules()}
    try:
        model.eval()
        yield
    finally:
        for module, flag in training.items():
            module.training = flag
