"""Flow of gradients: how much of each step's loss reaches the states so many steps before it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.interpretation.attention_past import detached_past
from seq2seq.interpretation.recording import encoder_records, evaluating, visible
from seq2seq.interpretation.trace import named_cells, target_lengths
from seq2seq.layers.recurrent.blockwise import BlockwiseLayer
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.memory import MemoryCell
from seq2seq.layers.recurrent.state import LSTMState, State
from seq2seq.masking import length_mask
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Inputs, Lengths, Source, TargetIds

PATHS = ("whole", "cell", "hidden")  # what is handed from step to step while gradients go back
StepLosses = Float[Tensor, "batch time"]


@dataclass(frozen=True)
class Flow:
    """Mean norms of the gradient of a step's loss in the states before it: item k is of k steps before.

    `hidden` holds the cell state still, and `cell` the hidden state; that of a cell without the one is None. The loss
    is that of a target token (`tokens`), or a readout of what the cell shows by random weights of norm 1 (`readout`).
    """

    loss: str
    path: str
    hidden: list[float]
    cell: list[float] | None

    def rate(self) -> float | None:
        """The factor by which the norm changes with each step from the first to the last, of the greater part.

        Below 1 gradients vanish, above they explode. None where nothing arrives.
        """
        norms = [max(parts) for parts in zip(self.hidden, self.cell or self.hidden, strict=True)][1:]
        if len(norms) < 2 or norms[0] == 0 or norms[-1] == 0:
            return None
        return float((norms[-1] / norms[0]) ** (1 / (len(norms) - 1)))


class FlowMeans:
    """Means of gradients by their distance from the loss, over sentences."""

    def __init__(self, loss: str, path: str) -> None:
        self.loss, self.path = loss, path
        self.sums: list[list[float]] = []  # of each distance, by part of the state
        self.counts: list[int] = []

    def add(
        self, losses: StepLosses, states: Sequence[State], lengths: Lengths, *, carried: int = 0, settled: int = 0
    ) -> None:
        """Count in losses of all steps, and the states that these left; those of a row end with its length.

        What a state carries behind its memory is left out, and so are the losses of the first steps until all is
        `settled`: the others then have as many states before them that are looked at.
        """
        for time, gradients in by_distance(losses, states, settled):
            rows = lengths > time
            gradients = gradients[-settled - 1 :] if settled else gradients
            for distance, gradient in enumerate(reversed(gradients)):
                if distance == len(self.counts):
                    self.counts.append(0)
                    self.sums.append([0.0] * len(gradient))
                self.counts[distance] += int(rows.sum())
                for part, values in enumerate(gradient):
                    kept = values[..., : values.shape[-1] - carried] if part else values
                    self.sums[distance][part] += float(kept[rows].norm(dim=-1).double().sum())

    def flow(self) -> Flow:
        """The mean norm of the gradient in each part of the state, for every distance that was counted."""
        parts = [[total / count for total in sums] for sums, count in zip(self.sums, self.counts, strict=True)]
        hidden = [part[0] for part in parts]
        return Flow(self.loss, self.path, hidden, [part[1] for part in parts] if len(parts[0]) > 1 else None)


def by_distance(losses: StepLosses, states: Sequence[State], first: int = 0) -> Iterator[tuple[int, list[State]]]:
    """Gradients of each step's loss in the states up to it, the oldest first, one step after the other.

    They are exact, a backward pass for each step. Summed over all steps they are the gradient of the sum of the losses.
    """
    for time in range(first, min(losses.shape[1], len(states))):
        before = states[: time + 1]
        parts = [part for state in before for part in state]
        found = torch.autograd.grad(losses[:, time].sum(), parts, retain_graph=True, materialize_grads=True)
        width = len(before[0])
        yield time, [type(s)(*found[at * width : (at + 1) * width]) for at, s in enumerate(before)]


@contextmanager
def tapped(cells: Sequence[Cell], path: str = "whole") -> Iterator[dict[Cell, list[State]]]:
    """The states that cells leave while the context lasts, each part by itself something to ask gradients of.

    Values stay as they are. By `cell` no gradient goes from a step to the hidden state before it, and by `hidden` none
    to the memory before it, in all of the cells.
    """
    states: dict[Cell, list[State]] = {cell: [] for cell in cells}

    def cut(_: Cell, given: tuple[Any, ...]) -> tuple[Any, ...]:
        projected, state, *rest = given
        return projected, _cut(state, path), *rest

    def note(cell: Cell, _: Any, step: tuple[Any, Any]) -> tuple[Any, Any]:
        state = type(step[0])(*(part.view_as(part) for part in step[0]))
        states[cell].append(state)
        return state, step[1]

    handles = []
    with visible(cells):
        try:
            for cell in cells:
                handles += [cell.register_forward_pre_hook(cut), cell.register_forward_hook(note)]
            yield states
        finally:
            for handle in handles:
                handle.remove()


def _cut(state: State, path: str) -> State:
    if path == "cell":
        return state._replace(hidden=state.hidden.detach())
    if path == "hidden" and isinstance(state, LSTMState):
        return state._replace(cell=state.cell.detach())
    return state


def paths_of(cell: Cell) -> tuple[str, ...]:
    """The ways back through a cell that differ: of one with a single part that steps read, the whole alone."""
    apart = issubclass(cell.layout.kind, LSTMState) and cell.layout.reads_hidden
    return PATHS if apart else PATHS[:1]


def has_flow(model: Seq2Seq, name: str) -> bool:
    """Tell whether a cell of a model has gradients by distance: its state is one of units, and it reads sentences.

    That is not so of a memory of values beside it, nor of a backward cell that reads blocks, as in streams.
    """
    record = next((own for own in encoder_records(model.encoder) if own.name == name), None)
    in_blocks = record is not None and isinstance(record.layer, BlockwiseLayer) and record.direction == "backward"
    return not in_blocks and not isinstance(named_cells(model)[name], MemoryCell)


def cell_flow(cell: Cell, inputs: Inputs, path: str = "whole", *, losses: int = 16, seed: int = 1) -> Flow:
    """Gradients by distance of one cell that reads inputs, `batch time input`, its losses readouts of the last steps.

    All distances are of the same losses, so that a curve shows distance alone.
    """
    means = FlowMeans("readout", path)
    with evaluating(cell), torch.enable_grad(), tapped([cell], path) as states:
        outputs, _ = cell.unroll(inputs, cell.start(inputs[:, 0]))
        lengths = torch.full((len(inputs),), inputs.shape[1])
        settled = max(0, inputs.shape[1] - losses)
        means.add(_readouts(outputs, seed), states[cell], lengths, carried=cell.layout.carried, settled=settled)
    return means.flow()


def _readouts(outputs: Tensor, seed: int) -> StepLosses:
    """Sums of what is shown at each step, by weights of norm 1, the same for all rows."""
    weights = torch.randn(outputs.shape[-1], generator=torch.Generator().manual_seed(seed)).to(outputs)
    return (outputs * weights / weights.norm()).sum(-1)


class ModelFlow:
    """Gradients by distance of cells of a model, over sentences that it reads and targets that it is forced through.

    `loss` is that of its own tokens, for cells of the decoder, or `readout`; cells of the encoder have a readout
    anyway, as attention hands what they show to every token. Steps count as the cell does them.
    """

    def __init__(self, model: Seq2Seq, names: Sequence[str], *, loss: str = "tokens", path: str = "whole") -> None:
        self.model, self.path = model, path
        self.cells = {name: named_cells(model)[name] for name in names}
        self.layers = {record.name: record.layer for record in encoder_records(model.encoder)}
        kinds = {name: loss if name not in self.layers else "readout" for name in names}
        self.means = {name: FlowMeans(kind, path) for name, kind in kinds.items()}

    def add(self, source: Source, lengths: Lengths, target: TargetIds) -> None:
        """Count in sources and targets, `batch target`, which begin with BOS."""
        every = list(named_cells(self.model).values())
        read = {name: layer for name, layer in self.layers.items() if name in self.cells}
        past = detached_past(self.model.decoder) if self.path == "cell" else nullcontext()
        with evaluating(self.model), torch.enable_grad(), past, tapped(every, self.path) as states:
            with _lengths_of(read) as own:
                features = self.model(source, lengths, target[:, :-1])[0]
            ends = target_lengths(target)
            losses = self._token_losses(features, target[:, 1:], ends)
            noted = {name: list(states[cell]) for name, cell in self.cells.items()}  # recomputing would note more
            for name, left in noted.items():
                means, carried = self.means[name], self.cells[name].layout.carried
                ended = own.get(name, ends)
                shown = losses
                if means.loss == "readout":
                    outputs = torch.stack([state.hidden for state in left], 1)
                    shown = _readouts(outputs, 1) * length_mask(ended, len(left))
                means.add(shown, left, ended, carried=carried)

    def _token_losses(self, features: Tensor, tokens: TargetIds, ends: Lengths) -> StepLosses:
        """Losses of what targets hold, and 0 behind them: padding's own may be infinite, which no mask takes back."""
        held = length_mask(ends, tokens.shape[1])
        found = self.model.output.loss(features[held], tokens[held])
        return found.new_zeros(held.shape).masked_scatter(held, found)

    def flows(self) -> dict[str, Flow]:
        """The means, by the names of the cells."""
        return {name: means.flow() for name, means in self.means.items()}


@contextmanager
def _lengths_of(layers: dict[str, Any]) -> Iterator[dict[str, Lengths]]:
    """Lengths that layers run over, by the names of their cells, while the context lasts."""
    lengths: dict[str, Lengths] = {}

    def noting(name: str) -> Callable[..., None]:
        return lambda _, given: lengths.__setitem__(name, given[1])

    handles = [layer.register_forward_pre_hook(noting(name)) for name, layer in layers.items()]
    try:
        yield lengths
    finally:
        for handle in handles:
            handle.remove()
