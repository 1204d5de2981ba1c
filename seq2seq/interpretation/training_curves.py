"""A run as its validations saw it: curves over its steps."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from seq2seq.errors import UserError
from seq2seq.interpretation.vital_signs import VitalSign

CURVES = "HealthRecord"  # by which name checkpoints keep the points
VITAL_SIGNS = "VitalSignMonitor"  # and the vital signs


@dataclass(frozen=True)
class CurvePoint:
    """Measurements of training at one validation; None where nothing measured it.

    Shares of gates are of the activations in a sample of dev; the ratio is the norm of a step's update over that of
    the weights. Skips are counted from the beginning: steps left out as their gradients were not finite, and those
    that a scaler of losses left out while it looked for its scale.
    """

    step: int
    train_loss: float | None
    dev_loss: float | None
    gradient_norm: float | None
    update_ratio: float | None
    saturated: float | None  # the mean over all gates
    most_saturated: float | None  # of one gate
    gate: str | None  # which that is
    skipped: int
    overflows: int


@dataclass(frozen=True)
class TrainingCurves:
    """The curves of a run at its validations, in the order of their steps."""

    points: tuple[CurvePoint, ...]
    signs: tuple[tuple[int, list[VitalSign]], ...] = ()  # the vital signs, by step, where they were kept

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> "TrainingCurves":
        """The curves of rows as `rows` gives them. Raises UserError at a row of another form."""
        width = len(fields(CurvePoint))
        for row in rows:
            if len(row) != width or type(row[0]) is not int:
                raise UserError(f"A row of a run's curves must have {width} values, but is {list(row)!r}.")
        return cls(tuple(CurvePoint(*row) for row in rows))

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values of what was measured under a name."""
        known = [(point.step, getattr(point, name)) for point in self.points]
        found = [(step, float(value)) for step, value in known if value is not None]
        return [step for step, _ in found], [value for _, value in found]
