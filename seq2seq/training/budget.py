"""The length of training: a number of steps, a time, or whichever ends first."""

import re
import time
from datetime import datetime, timedelta

from seq2seq.errors import UserError, check_finite


class Budget:
    """A limit of steps or minutes of training, counted over interruptions too. Validation takes none of the minutes.

    At `until`, a time of day such as 07:30, training stops as by a signal, to go on later.
    Raises UserError if neither limit is set, one is not above 0, or until is no time.
    """

    def __init__(
        self, *, max_steps: int | None = None, max_minutes: float | None = None, until: str | None = None
    ) -> None:
        check_finite(max_minutes=max_minutes)
        if max_steps is None and max_minutes is None:
            raise UserError("max_steps or max_minutes must be set, but both are null.")
        for name, limit in (("max_steps", max_steps), ("max_minutes", max_minutes)):
            if limit is not None and limit <= 0:
                raise UserError(f"{name} must be above 0, but is {limit}.")
        self.max_steps, self.max_minutes = max_steps, max_minutes
        self.until = None if until is None else _next(until)
        self._earlier = 0.0  # seconds trained before the clock was started last
        self._started: float | None = None

    def start(self) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def stop(self) -> None:
        """Stop the clock, until it is started again."""
        self._earlier, self._started = self.seconds, None

    @property
    def seconds(self) -> float:
        """The seconds trained so far."""
        return self._earlier + (0.0 if self._started is None else time.monotonic() - self._started)

    def restore(self, seconds: float) -> None:
        """Take up a count that an interrupted run left."""
        self._earlier = seconds

    def spent(self, step: int) -> float:
        """The share of the budget that `step` steps and the time so far have used, in [0, 1]."""
        by_steps = step / self.max_steps if self.max_steps else 0.0
        by_time = self.seconds / (60 * self.max_minutes) if self.max_minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def __str__(self) -> str:
        limits = [f"max_steps={self.max_steps}"] if self.max_steps else []
        return ", ".join(limits + ([f"max_minutes={self.max_minutes:g}"] if self.max_minutes else []))


def _next(until: str) -> datetime:
    """The next time that a clock shows HH:MM."""
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", str(until)):
        raise UserError(f"until must be a time of day, as in 07:30, but is {until!r}.")
    hour, minute = map(int, until.split(":"))
    now = datetime.now()
    time_of_day = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return time_of_day if time_of_day > now else time_of_day + timedelta(days=1)
