"""The time that training still takes."""

import time
from datetime import datetime, timedelta

from seq2seq.training.budget import Budget

_STEPS, _VALIDATIONS = 200, 5  # that a mean remembers


class ForgettingMean:
    """A mean of the values so far, of which only the last `memory` count for much."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.count, self.value = 0, 0.0

    def note(self, value: float) -> None:
        """Take in a value: as one of all at first, then with a share of 1 / memory."""
        self.count += 1
        self.value += (value - self.value) / min(self.count, self.memory)


class TimeLeft:
    """An estimate of the seconds until a budget is spent, from those that steps and validations took so far.

    A validation counts to the steps before it. The first step is left out: it is slower than all others.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.step_seconds, self.validation_seconds = ForgettingMean(_STEPS), ForgettingMean(_VALIDATIONS)
        self._since: float | None = None  # when the last step ended
        self._validating, self._validated_at = 0.0, 0

    @property
    def knows_validations(self) -> bool:
        """Tell whether the estimate counts validations: there has been one."""
        return self.validation_seconds.count > 0

    def start(self, step: int) -> None:
        """Begin to count at a step, the first or that of a run that goes on."""
        self._validated_at = step

    def end_step(self) -> None:
        """Take in a step that has ended now."""
        now = time.monotonic()
        if self._since is not None:
            self.step_seconds.note(now - self._since)
        self._since = now

    def start_validation(self) -> None:
        """Take in that a validation starts now."""
        self._validating = time.monotonic()

    def end_validation(self, step: int) -> None:
        """Take in that it ends now, after so many steps in all."""
        self._since = time.monotonic()
        self.validation_seconds.note((self._since - self._validating) / max(step - self._validated_at, 1))
        self._validated_at = step

    def seconds(self, step: int) -> float | None:
        """The seconds left after so many steps; None where it is too early to tell."""
        each, validating = self.step_seconds.value, self.validation_seconds.value
        left = []
        if self.budget.max_minutes:  # of training alone
            training = 60 * self.budget.max_minutes - self.budget.seconds
            left.append(training * (1 + (validating / each if each else 0.0)))
        if self.budget.max_steps and self.step_seconds.count:
            left.append((self.budget.max_steps - step) * (each + validating))
        return max(min(left), 0.0) if left else None


def duration(seconds: float) -> str:
    """A time in the two units that tell most of it, as in 4 min 30 s."""
    whole = round(seconds)
    for size, unit, part, part_unit, width in (
        (86400, "d", 3600, "h", 1),
        (3600, "h", 60, "min", 2),
        (60, "min", 1, "s", 2),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part:0{width}} {part_unit}"
    return f"{whole} s"


def clock_in(seconds: float, now: datetime) -> str:
    """The time of day when so many seconds have passed, with the date where it is another day."""
    then = now + timedelta(seconds=seconds)
    return f"{then:%H:%M}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M}"
