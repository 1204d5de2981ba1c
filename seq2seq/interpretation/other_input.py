"""A gate with the values that it had on another source, step by step."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.decoding.length import LengthLimits
from seq2seq.errors import UserError
from seq2seq.interpretation.intervention import Intervention, chosen_units, find_cell, gate_widths, holding
from seq2seq.interpretation.step_counter import StepCounter
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.recurrent.layer import RecurrentLayer
from seq2seq.models.decoder import States
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, Source, TargetIds
from seq2seq.symbols import EOS, PAD

ONE_HYPOTHESIS = "to=other needs one hypothesis of a sentence, but the search has several: choose decoding=greedy."
Kept = tuple[Int[Tensor, " batch"], Int[Tensor, " batch"], Memory]  # sources, steps that each may take, and the rest
Order = Callable[[int], Sequence[int]]  # of so many sources, the number of that one whose values each gets


class SeenSources:
    """A model as a stepper that tells, at every step of its cells, which source each row is of, and whether it goes on.

    `task` names what the rows are run for: values of a search are others than those of targets that are given.
    """

    def __init__(self, length: LengthLimits) -> None:
        self.length, self.task = length, ""
        self.model: Seq2Seq | None = None
        self.known: dict[bytes, int] = {}
        self.rows: Int[Tensor, " batch"] = torch.zeros(0, dtype=torch.long)
        self.left = self.rows  # steps that the decoder takes at most; 0 where it has ended

    def start(self, source: Source, lengths: Lengths) -> tuple[Kept, States]:
        """The memory, with the numbers of sources in it, and the first states."""
        own = [ids[:count].numpy().tobytes() for ids, count in zip(source.cpu(), lengths.tolist(), strict=True)]
        self.rows = torch.tensor([self.known.setdefault(one, len(self.known)) for one in own])
        memory, states = self._run.start(source, lengths)
        return (self.rows.to(source.device), self.length.max_length(lengths), memory), states

    def step(self, ids: BeamIds, memory: Kept, states: States) -> tuple[Logits, BeamWeights, States]:
        """Results of the model for one more token."""
        if ids.shape[1] > 1:
            raise UserError(ONE_HYPOTHESIS)
        ended = (ids[:, 0] == EOS) | (ids[:, 0] == PAD)
        self.rows, self.left = memory[0].cpu(), memory[1].masked_fill(ended, 0).cpu()
        return self._run.step(ids, memory[2], states)

    def token_scores(self, target: TargetIds, memory: Kept, states: States) -> Float[Tensor, "batch target"]:
        """Log-probabilities of the tokens of whole targets."""
        self.rows, self.left = memory[0].cpu(), (target != PAD).sum(1).cpu()
        return self._run.token_scores(target, memory[2], states)

    @property
    def whole_target(self) -> bool:
        """Tell whether the model runs over whole targets."""
        return self._run.whole_target

    @property
    def attends(self) -> bool:
        """Tell whether weights say where in a source the model looked."""
        return self._run.attends

    @property
    def _run(self) -> Seq2Seq:
        assert self.model is not None
        return self.model


class OtherInputs:
    """The values that gates of one cell had on each of many sources, and the source that each source gets them from.

    That follows from the sources and the seed alone: in an order of chance, each gets those of the next.
    """

    def __init__(self, seed: int, length: LengthLimits, order: Order | None = None) -> None:
        self.seen = SeenSources(length)
        self.cell = ""
        self._order: Order = order or (lambda count: _next_of(count, seed))
        self._noted: dict[tuple[str, str], dict[int, list[Tensor]]] = {}
        self._taken: dict[int, int] = {}

    @contextmanager
    def recording(self, model: Seq2Seq, name: str) -> Iterator[None]:
        """A context in which the gates of a cell are noted, in place of those of another cell before."""
        cell, self._noted, self.cell = find_cell(model, name), {}, name
        with self._followed(model, name) as (steps, counts):

            def note(gate: str, values: Tensor) -> Tensor:
                own = self._noted.setdefault((self.seen.task, gate), defaultdict(list))
                rows, last = self.seen.rows.tolist(), counts().tolist()
                for row, most, value in zip(rows, last, _by_row(values, name, len(rows)).unbind(0), strict=True):
                    if steps.step < most and len(own[row]) <= steps.step:  # equal sources are noted once
                        own[row].append(value.detach().clone())
                return values

            with holding(cell, note):
                yield
        self._pair()

    @contextmanager
    def replaying(self, model: Seq2Seq, name: str, gate: str, change: Callable[[Tensor, Tensor, int], Tensor]) -> Any:
        """A context in which a change is made of each gate's values and those on the other source, at each step."""
        with self._followed(model, name) as (steps, _):

            def replay(held: str, values: Tensor) -> Tensor:
                noted = self._noted.get((self.seen.task, held))
                if held != gate or not noted:
                    return values
                rows = self.seen.rows.tolist()
                own = _by_row(values, name, len(rows))
                found = [self._value(noted, row, steps.step, plain) for row, plain in zip(rows, own, strict=True)]
                return change(values, torch.stack(found).view_as(values), steps.step)

            with holding(find_cell(model, name), replay):
                yield

    def _value(self, noted: dict[int, list[Tensor]], row: int, step: int, plain: Tensor) -> Tensor:
        """The value on the other source at a step, that at its last one behind it; as it is where there is none."""
        values = noted.get(self._taken.get(row, row))
        return values[min(step, len(values) - 1)] if values else plain

    @contextmanager
    def _followed(self, model: Seq2Seq, name: str) -> Iterator[tuple[StepCounter, Callable[[], Tensor]]]:
        """A context in which a cell's steps are counted; with what tells how many each row takes."""
        cell, lengths = find_cell(model, name), [torch.zeros(0)]
        layers = [one for one in model.encoder.modules() if isinstance(one, RecurrentLayer)]
        self.seen.model = model
        with ExitStack() as stack:
            steps = stack.enter_context(StepCounter().of(model, cell))
            for layer in layers:
                if any(own is cell for own in layer.directions.values()):
                    handle = layer.register_forward_pre_hook(lambda _, given: lengths.__setitem__(0, given[1].cpu()))
                    stack.callback(handle.remove)
            yield steps, (lambda: lengths[0]) if name.startswith("encoder") else (lambda: self.seen.left)

    def _pair(self) -> None:
        keys = sorted(self.seen.known)  # in an order that does not hang on batches
        numbers = [self.seen.known[key] for key in keys]
        if len(numbers) < 2:
            raise UserError("to=other needs two different sources or more, but there is one: raise limit.")
        self._taken = {own: numbers[place] for own, place in zip(numbers, self._order(len(keys)), strict=True)}


@dataclass(frozen=True)
class GateOfOther(Intervention):
    """A gate of one cell with the values that it had on another source, aligned by time step, the last one held.

    A longer source is cut, a shorter one held at its end. With `step`, at that step of the cell alone. Raises
    UserError, once it is applied, at a cell, gate or unit that the model has not.
    """

    cell: str
    gate: str
    others: OtherInputs
    units: tuple[int, ...] | None = None
    step: int | None = None

    @property
    def place(self) -> str:
        return self.cell

    @property
    def change(self) -> str:
        return f"{self.gate} = other"

    @contextmanager
    def applied(self, model: Seq2Seq) -> Iterator[None]:
        """A context in which the gate has the other values, where rows are told by the stepper of `others`."""
        widths = gate_widths(find_cell(model, self.cell))
        chosen = chosen_units(self.cell, self.gate, widths, self.units)

        def change(values: Tensor, other: Tensor, step: int) -> Tensor:
            at = self.step in (None, step)
            return torch.where(chosen.to(values.device), other, values) if at else values

        with self.others.replaying(model, self.cell, self.gate, change):
            yield


def _next_of(count: int, seed: int) -> list[int]:
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    following = torch.empty_like(order)
    following[order] = order.roll(-1)
    return following.tolist()


def _by_row(values: Tensor, cell: str, rows: int) -> Float[Tensor, "rows units"]:
    found = values.flatten(0, -2)
    if len(found) != rows:
        raise UserError(f"to=other needs cells that run over whole sources, but {cell} runs over parts of them.")
    return found
