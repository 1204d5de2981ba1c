"""The Page-Hinkley test: how far a sum of deviations has climbed from its lowest point."""

from seq2seq.drift.detector import Detector, Recent, check_value
from seq2seq.errors import UserError, check_finite

_SIGNS = {"up": (1.0,), "down": (-1.0,), "both": (1.0, -1.0)}


class PageHinkley(Detector):
    """An alarm once the mean has been off by more than `delta` for long enough (Page 1954; Hinkley 1971).

    With m_i the mean of the values up to x_i, the sum of x_i - m_i - delta is compared with its lowest point so far:
    an alarm where it stands more than `threshold` above. That is g_i = max(0, g_(i-1) + x_i - m_i - delta), and
    downwards the same of -x_i. A lasting shift by s takes about threshold / (s - delta) values, and chance about
    exp(2 delta threshold) / (2 delta^2) between alarms if values are independent and normal.

    No alarm before `first` values. The mean begins as if `known` values of 0, what is usual, had come before: with 0
    a stream is compared with its own beginning alone, as it is after every alarm. `direction` is up, down or both.
    """

    _alarmed: bool
    _sides: list["_Climb"]

    def __init__(
        self,
        *,
        delta: float = 0.25,
        threshold: float = 25.0,
        first: int = 30,
        known: int = 1000,
        direction: str = "both",
    ) -> None:
        check_finite(delta=delta, threshold=threshold)
        for name, value, lowest in (("delta", delta, 0.0), ("first", first, 1), ("known", known, 0)):
            if not value >= lowest:
                raise UserError(f"{name} must be at least {lowest}, but is {value}.")
        if not threshold > 0:
            raise UserError(f"threshold must be above 0, but is {threshold}.")
        if direction not in _SIGNS:
            raise UserError(f"direction must be one of {', '.join(_SIGNS)}, but is {direction!r}.")
        self.delta, self.threshold, self.first, self.direction = delta, threshold, first, direction
        self._begin(known)

    def update(self, value: float) -> bool:
        check_value(value)
        if self._alarmed:
            self._begin(known=0)
        self._count += 1
        self._mean += (value - self._mean) / (self._known + self._count)
        climbs = [side.climb(value, value - self._mean, self.delta) for side in self._sides]
        self._alarmed = self._count >= self.first and max(climbs) > self.threshold
        return self._alarmed

    @property
    def recent(self) -> Recent:
        """The mean and number of values since the sum that has climbed highest was at its lowest."""
        return max(self._sides, key=lambda side: side.height).recent()

    def _begin(self, known: int) -> None:
        self._known, self._count, self._mean = known, 0, 0.0
        self._alarmed = False
        self._sides = [_Climb(sign) for sign in _SIGNS[self.direction]]


class _Climb:
    """The height of a sum above its lowest point, and the values that came since it was there."""

    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.height = self._total = 0.0
        self._count = 0

    def climb(self, value: float, deviation: float, delta: float) -> float:
        """The height with one more value, which deviates so much from the mean."""
        if self.height == 0.0:
            self._total, self._count = 0.0, 0
        self.height = max(0.0, self.height + self.sign * deviation - delta)
        self._total, self._count = self._total + value, self._count + 1
        return self.height

    def recent(self) -> Recent:
        return Recent(self._total / self._count if self._count else 0.0, self._count)
