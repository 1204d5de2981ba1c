"""Scores of validations that parts of a step count."""

import math
from collections.abc import Mapping

from seq2seq.errors import UserError

MODES = ("max", "min")


class Monitored:
    """A score by its name, better when higher or lower, as mode max or min says. Raises UserError at another mode."""

    def __init__(self, monitor: str, mode: str) -> None:
        if mode not in MODES:
            raise UserError(f"mode must be max or min, but is {mode!r}.")
        self.monitor, self.mode = monitor, mode

    def read(self, scores: Mapping[str, float]) -> float:
        """The score as a loss: lower is better, and what is not finite is worst. Raises UserError if there is none."""
        if self.monitor not in scores:
            raise UserError(f"monitor must be one of {', '.join(sorted(scores))}, but is {self.monitor!r}.")
        value = float(scores[self.monitor])
        if not math.isfinite(value):
            return math.inf
        return -value if self.mode == "max" else value
