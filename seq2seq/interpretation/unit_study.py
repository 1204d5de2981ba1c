"""The study of what units know: correlations with named signals over many lines, and linear probes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.interpretation.linear_probe import LinearProbe, ProbeScore
from seq2seq.interpretation.signals import BEYOND, NamedSignal, ProbedLine
from seq2seq.interpretation.unit_correlations import Given, correlate, holm
from seq2seq.interpretation.unit_steps import CellSteps

_CLASSES = 60  # the most frequent, of which each is looked for in units
_PLACES = 32  # from the beginning, of which each may have a value of its own


@dataclass(frozen=True)
class SignalSteps:
    """A signal at every step of every line: numbers, or else classes by number with their names."""

    name: str
    made_of: frozenset[str]
    values: Float[Tensor, " steps"] | Int[Tensor, " steps"]
    classes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Names of what units are held against: the signal, or each of its most frequent classes."""
        return [f"{self.name} {self.classes[kind]!r}" for kind in self._kinds] if self.classes else [self.name]

    @property
    def table(self) -> Float[Tensor, "steps columns"]:
        """The numbers, or whether a step is of each of the classes."""
        if not self.classes:
            return self.values.double().unsqueeze(1)
        return (self.values.unsqueeze(1) == torch.tensor(self._kinds)).double()

    @property
    def _kinds(self) -> list[int]:
        """Classes, the most frequent first, without that of being beyond an end of the line, which is a position."""
        counts = self.values.long().bincount(minlength=len(self.classes)).tolist()
        kinds = (kind for kind, name in enumerate(self.classes) if name != BEYOND)
        return sorted(kinds, key=lambda kind: -counts[kind])[:_CLASSES]


@dataclass(frozen=True)
class UnitFinding:
    """A unit and a signal, or a class of one, with their correlations; `p` is corrected for all that were tried.

    The partial correlation is None where what is given says all of the signal, or of the unit.
    """

    cell: str
    unit: int
    signal: str  # of which it is
    column: str  # the same, or a class of it
    correlation: float
    partial: float | None
    p: float

    @property
    def clearness(self) -> float:
        """Size of the partial correlation, or of the plain one where there is no other."""
        return abs(self.correlation if self.partial is None else self.partial)


class UnitStudy:
    """Units of cells beside signals of the lines that they went through.

    Raises UserError where no cell has a step for each piece, and where a signal is the same at every step of every
    side: where not `all_change`, only if all of them are, and `silent` names the others.
    """

    def __init__(
        self,
        sides: Mapping[str, Sequence[ProbedLine]],
        cells: Iterable[CellSteps],
        signals: Sequence[NamedSignal],
        *,
        all_change: bool = True,
    ) -> None:
        self.sides = sides
        steps = {side: sum(map(len, lines)) for side, lines in sides.items()}
        every = list(cells)
        self.cells = [cell for cell in every if len(cell.units) == steps[cell.side]]
        kept = {cell.name for cell in self.cells}
        self.left_out = [cell.name for cell in every if cell.name not in kept]  # those with steps of their own
        if not self.cells:
            raise UserError(
                f"layers must have a step for each piece, but {', '.join(self.left_out)} have steps of their own: "
                "choose others."
            )
        used = {cell.side for cell in self.cells}
        self.signals = {side: [*_changing(signals, lines)] for side, lines in sides.items() if side in used}
        found = {signal.name for own in self.signals.values() for signal in own}
        self.unchanging = [signal.name for signal in signals if signal.name not in found]
        if self.unchanging and (all_change or not found):
            raise UserError(
                f"signals has {self.unchanging[0]}, which is the same at every step of these lines, or says nothing of "
                "the side that these cells are on: leave it out, or give other lines."
            )

    def lines(self, side: str) -> Int[Tensor, " steps"]:
        """The number of each step's line."""
        return torch.arange(len(self.sides[side])).repeat_interleave(torch.tensor([*map(len, self.sides[side])]))

    def findings(self) -> list[UnitFinding]:
        """Findings of all units with all signals of their side, the clearest first, p corrected for their number."""
        found = [finding for cell in self.cells for finding in self._of_cell(cell)]
        corrected = holm(torch.tensor([finding.p for finding in found], dtype=torch.float64)).tolist()
        paired = [replace(finding, p=p) for finding, p in zip(found, corrected, strict=True)]
        return sorted(paired, key=lambda finding: -finding.clearness)

    def _of_cell(self, cell: CellSteps) -> Iterator[UnitFinding]:
        lines = self.lines(cell.side)
        for signal in self.signals[cell.side]:
            found = correlate(cell.units, signal.table, self.given(cell.side, signal.made_of), lines)
            for column, *rows in zip(signal.columns, *(part.tolist() for part in found), strict=True):
                for unit, (plain, partial, p) in enumerate(zip(*rows, strict=True)):
                    if plain == plain:  # a unit that never changes follows nothing
                        own = partial if partial == partial else None
                        yield UnitFinding(cell.name, unit, signal.name, column, plain, own, p)

    def given(self, side: str, made_of: frozenset[str]) -> Given:
        """Position, length, and the piece that was read, at every step, but those that a signal is made of.

        Each of the first positions is given by itself, as what is special about a beginning lies on no line. A
        signal of the pieces that target cells write is not made of those that they read.
        """
        lines = self.sides[side]
        place = torch.tensor([place for line in lines for place in range(len(line))])
        length = torch.tensor([len(line) for line in lines for _ in line.pieces])
        early = torch.nn.functional.one_hot(place.clamp(max=_PLACES), _PLACES + 1)[:, :_PLACES]
        numbers = {"position": [place, *early.T], "length": [length]}
        kept = [column.double() for name, columns in numbers.items() if name not in made_of for column in columns]
        table = torch.stack(kept, 1)
        known = "piece" in made_of and side == "source"
        return Given(table, torch.zeros_like(place) if known else self.types(side))

    def types(self, side: str) -> Int[Tensor, " steps"]:
        """The piece that was read at every step, by a number."""
        return _numbered(piece for line in self.sides[side] for piece in line.read)[0]

    def probes(self, *, seed: int) -> Iterator[tuple[CellSteps, SignalSteps, ProbeScore]]:
        """The score of a probe of each cell for each signal of its side."""
        for cell in self.cells:
            probe, types = LinearProbe(cell.units, self.lines(cell.side), seed=seed), self.types(cell.side)
            for signal in self.signals[cell.side]:
                values = signal.values
                if not signal.classes and not bool(((values == 0) | (values == 1)).all()):
                    yield cell, signal, probe.numbers(values.double(), types)
                else:
                    yield cell, signal, probe.classes(values.long(), types)


def _changing(signals: Sequence[NamedSignal], lines: Sequence[ProbedLine]) -> Iterator[SignalSteps]:
    """The signals at every step of the lines, without those that are always the same, or of other sides."""
    for signal in signals:
        every = [values for line in lines if (values := signal.of(line)) is not None]
        found = [value for values in every for value in values]
        if len(set(found)) < 2:
            continue
        if len(every) < len(lines) or len({isinstance(value, str) for value in found}) > 1:
            raise UserError(
                f"signals: {signal.name} must give numbers for all lines of a side, or text, or None, but gives now "
                "one and now another."
            )
        if isinstance(found[0], str):
            numbers, names = _numbered(map(str, found))
            yield SignalSteps(signal.name, signal.made_of, numbers, names)
        else:
            yield SignalSteps(signal.name, signal.made_of, torch.tensor(found, dtype=torch.float64))


def _numbered(names: Iterable[str]) -> tuple[Int[Tensor, " steps"], tuple[str, ...]]:
    known: dict[str, int] = {}
    numbers = [known.setdefault(name, len(known)) for name in names]
    return torch.tensor(numbers), tuple(known)
