"""Traces of everything that the cells of a model did while it read a source and wrote a given target."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from seq2seq.errors import UserError
from seq2seq.layers.copying import PointerOutput
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.memory import MemoryCell
from seq2seq.layers.recurrent.layer import RecurrentLayer
from seq2seq.masking import length_mask
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import AttentionWeights, Features, Lengths, Source, TargetIds, TimeMask
from seq2seq.symbols import BOS, PAD

TargetScores = Float[Tensor, "batch target"]
Activations = Float[Tensor, "batch time _"]  # gates, hidden and cell state of one cell may differ in width


@dataclass(frozen=True)
class CellTrace:
    """Gates and states of one cell after every step, `batch time units`, 0 where a sentence has ended.

    A backward cell's step i is the one at which it read position i, so it came before that of i - 1. `side` is source
    or target. `keep_gate` names the gate that says how much of the memory a step kept, if there is one.
    """

    name: str
    side: str
    lengths: Lengths
    keep_gate: str | None
    bounded: bool  # whether the candidate went through tanh
    gates: dict[str, Activations]
    hidden: Activations
    cell: Activations | None
    filled: Float[Tensor, "batch time"] | None = None  # how many values a memory beside the cell holds, if it has one

    @property
    def memory(self) -> Activations:
        """The state that the cell keeps from step to step: its cell state, or else its hidden state."""
        return self.hidden if self.cell is None else self.cell

    @property
    def mask(self) -> TimeMask:
        """The mask, `batch time`, that is True at the steps of a sentence."""
        return length_mask(self.lengths, self.hidden.shape[1])


@dataclass(frozen=True)
class Copying:
    """Copying of every target token: its share of the token's probability, and that which the switch gave it."""

    shares: TargetScores
    switch: TargetScores


@dataclass(frozen=True)
class Trace:
    """A record of what a model did on given pairs.

    Row j of `features`, `weights`, `logits` and `log_probabilities` is the step that wrote token j + 1 of the target;
    the last two are of that token, and they and `weights` are 0 where a target has ended. `copying` is None where the
    model does not copy.
    """

    cells: dict[str, CellTrace]
    source_lengths: Lengths
    target_lengths: Lengths
    features: Features
    weights: AttentionWeights
    logits: TargetScores
    log_probabilities: TargetScores
    copying: Copying | None = None


@torch.no_grad()
def trace(model: Seq2Seq, source: Source, lengths: Lengths, target: TargetIds) -> Trace:
    """Force a model through targets, `batch target`, for sources, `batch source`, and return the trace.

    Targets begin with BOS. The model is in evaluation mode meanwhile and left as it was. Raises UserError if a target
    does not begin with BOS or has no token behind it.
    """
    check_target(target)
    with _recording(model) as records:
        features, weights, *_ = model(source, lengths, target[:, :-1])
        rows, steps = features.flatten(0, 1), features.shape[:2]
        logits, log_probabilities = (
            score(rows).unflatten(0, steps) for score in (model.output.logits, model.output.log_probabilities)
        )
    tokens, ends = target[:, 1:], target_lengths(target)
    cells = [record.cell_trace(ends) for record in records]
    mask = length_mask(ends, weights.shape[1])
    return Trace(
        {cell.name: cell for cell in cells},
        lengths,
        ends,
        features[..., : model.decoder.feature_size],
        weights * mask.unsqueeze(-1),
        _scores_of(logits, tokens).where(mask, 0.0),
        _scores_of(log_probabilities, tokens).where(mask, 0.0),
        _copying(model.output, rows, tokens, mask) if isinstance(model.output, PointerOutput) else None,
    )


def _copying(output: PointerOutput, rows: Tensor, tokens: TargetIds, mask: TimeMask) -> Copying:
    found = output.copied(rows, tokens.flatten())
    return Copying(*(part.unflatten(0, tokens.shape).where(mask, 0.0) for part in found))


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


def named_cells(model: Seq2Seq) -> dict[str, Cell]:
    """Cells of a model by the names that traces give them."""
    return {record.name: record.cell for record in _records(model)}


def check_target(target: TargetIds) -> None:
    """Check targets, `batch target`, before they are traced.

    Raises UserError if one does not begin with BOS or has no token behind it.
    """
    if target.shape[1] < 2 or not bool((target[:, 0] == BOS).all()) or not bool((target[:, 1] != PAD).all()):
        raise UserError("A target to trace must be BOS and at least one token, but one is not: put BOS before it.")


def target_lengths(target: TargetIds) -> Lengths:
    """The number of tokens behind BOS, `batch`."""
    return (target[:, 1:] != PAD).sum(1)


def _scores_of(scores: Float[Tensor, "batch target vocabulary"], tokens: TargetIds) -> TargetScores:
    return scores.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


class _Record:
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

    def cell_trace(self, target_lengths: Lengths) -> CellTrace:
        """The trace of the cell, its steps in the order of the sentence."""
        states, gates = zip(*self.steps, strict=True)
        lengths = target_lengths if self.lengths is None else self.lengths
        state = self._over_time(states, lengths)
        gate = self._over_time(gates, lengths)
        side = "target" if self.layer is None else "source"
        kind = self.cell.keep_gate, self.cell.bounded
        memory, filled = state.get("cell"), None
        if memory is not None and (carried := self.cell.layout.carried):
            filled = self.cell.store.filled(memory[..., -carried:]) if isinstance(self.cell, MemoryCell) else None
            memory = memory[..., :-carried]
        return CellTrace(self.name, side, lengths, *kind, gate, state["hidden"], memory, filled)

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


def _records(model: Seq2Seq) -> list[_Record]:
    layers = [module for module in model.encoder.modules() if isinstance(module, RecurrentLayer)]
    records = [
        _Record(f"encoder {number} {direction}", cell, layer, direction)
        for number, layer in enumerate(layers, 1)
        for direction, cell in layer.directions.items()
    ]
    return records + [_Record(f"decoder {number}", cell) for number, cell in enumerate(model.decoder.layers, 1)]


@contextmanager
def _recording(model: Seq2Seq) -> Iterator[list[_Record]]:
    """Records of the cells, on their visible path in evaluation mode, noting their steps; all as before at the end."""
    records = _records(model)
    fused = {record.cell: record.cell.fused for record in records}
    handles: list[RemovableHandle] = []
    try:
        for record in records:
            record.cell.fused = False
            handles.extend(record.hooks())
        with evaluating(model):
            yield records
    finally:
        for handle in handles:
            handle.remove()
        for cell, flag in fused.items():
            cell.fused = flag
