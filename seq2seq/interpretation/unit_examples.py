"""Examples of the clearest units: what they held, and what their signal was, over a few of the lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from seq2seq.interpretation.unit_study import UnitFinding, UnitStudy

_LINES, _PIECES = 4, 40  # that are shown of a unit, and of a line
_CLEAR = 0.05  # p below which a unit is more than chance


@dataclass(frozen=True)
class ShownLine:
    """A line's pieces, with a unit's values and its signal's at each."""

    pieces: Sequence[str]
    values: Sequence[float]
    signal: Sequence[float]


@dataclass(frozen=True)
class ShownUnit:
    """A unit that follows something, with example lines, and the largest size of its values on all lines."""

    finding: UnitFinding
    lines: Sequence[ShownLine]
    scale: float


def clearest(findings: Sequence[UnitFinding], signals: Sequence[str], count: int) -> dict[str, list[UnitFinding]]:
    """The clearest findings of each signal, at most so many, each of another unit, and none that chance explains."""
    found: dict[str, list[UnitFinding]] = {name: [] for name in signals}
    for finding in findings:
        own = found[finding.signal]
        taken = any((one.cell, one.unit) == (finding.cell, finding.unit) for one in own)
        if finding.p < _CLEAR and not taken and len(own) < count:
            own.append(finding)
    return found


def shown_units(study: UnitStudy, findings: Sequence[UnitFinding]) -> list[ShownUnit]:
    """The units of findings, with a few lines in which their signal changes, evenly over these."""
    cells = {cell.name: cell for cell in study.cells}
    shown = []
    for finding in findings:
        cell = cells[finding.cell]
        values = cell.units[:, finding.unit]
        signal = next(one for one in study.signals[cell.side] if one.name == finding.signal)
        course = signal.table[:, signal.columns.index(finding.column)]
        lines, steps = study.sides[cell.side], range(len(values))
        of_lines = [list(own) for _, own in groupby(steps, study.lines(cell.side).tolist().__getitem__)]
        moving = [row for row, own in enumerate(of_lines) if len(set(course[own].tolist())) > 1]
        moving = moving or [*range(len(lines))]  # of what differs between lines alone
        chosen = sorted({moving[number * len(moving) // _LINES] for number in range(_LINES)})
        parts = [([*map(_plain, lines[row].pieces[:_PIECES])], of_lines[row][:_PIECES]) for row in chosen]
        own = [ShownLine(pieces, values[rows].tolist(), course[rows].tolist()) for pieces, rows in parts]
        shown.append(ShownUnit(finding, own, float(values.abs().max())))
    return shown


def _plain(piece: str) -> str:
    """A piece without SentencePiece's sign for a space, or that sign alone as a person would type it."""
    return piece.replace("\u2581", " ").strip() or "_"
