"""A watch over the signals of a stream of lines."""

from collections import deque
from collections.abc import Callable, Mapping
from math import isnan
from typing import NamedTuple

from seq2seq.drift.detector import Detector
from seq2seq.drift.spread import Spread
from seq2seq.errors import UserError, check_finite

_KEPT = 1000  # lines whose numbers are remembered: a change is nearly always told of before there are more


class Alarm(NamedTuple):
    """A lasting change: seen at `line`, in which signal and by which detector, and begun at about line `since`.

    `value` is the signal of that line and `mean` its mean since the change, both in deviations from what is usual.
    """

    line: int
    signal: str
    detector: str
    value: float
    mean: float
    since: int


class _Lines:
    """Lines that a signal had values at: the latest by their numbers, those before by their mean distance."""

    def __init__(self) -> None:
        self._first, self._older = 0, 0
        self._latest: deque[int] = deque()

    def add(self, line: int) -> None:
        self._first = self._first or line
        self._latest.append(line)
        if len(self._latest) > _KEPT:
            self._latest.popleft()
            self._older += 1

    def of_latest(self, count: int) -> int:
        """The line at which the latest values, so many of them, began."""
        if count <= len(self._latest):
            return self._latest[-max(1, count)]
        share = min(1.0, (count - len(self._latest)) / max(1, self._older))
        return round(self._latest[0] - share * (self._latest[0] - self._first))


class SignalWatch:
    """A detector of each kind for each signal. Values are in deviations from what is usual, `limit` at most.

    Signals that nothing is known of are not watched.
    """

    def __init__(
        self, detectors: Mapping[str, Callable[[], Detector]], usual: Mapping[str, Spread], *, limit: float
    ) -> None:
        self.usual, self.limit = usual, limit
        self._detectors = {
            (signal, name): new_detector() for signal in usual for name, new_detector in detectors.items()
        }
        self._lines = {signal: _Lines() for signal in usual}  # not all lines have all signals

    def deviations(self, signals: Mapping[str, float]) -> dict[str, float]:
        """The signals of a line that are watched, in deviations; what is no number is left out."""
        found = {name: self.usual[name].deviations(value) for name, value in signals.items() if name in self.usual}
        return {name: min(max(value, -self.limit), self.limit) for name, value in found.items() if not isnan(value)}

    def update(self, line: int, deviations: Mapping[str, float]) -> list[Alarm]:
        """The alarms at a line of a number, from 1, whose signals are these deviations; nearly always none."""
        alarms = []
        for signal in deviations.keys() & self._lines.keys():
            self._lines[signal].add(line)
        for (signal, name), detector in self._detectors.items():
            if signal in deviations and detector.update(deviations[signal]):
                mean, length = detector.recent
                since = self._lines[signal].of_latest(length)
                alarms.append(Alarm(line, signal, name, deviations[signal], mean, since))
        return alarms


class Watch:
    """A watch as a config asks for it: its detectors by name, and where alarms go besides stderr.

    A line counts as at most `limit` deviations, so that one alone raises no alarm. `reference` is a file of usual
    lines, None for what the run has kept; `file` gets alarms as JSON lines, `picture` the signals over the lines.
    """

    def __init__(
        self,
        *,
        detectors: Mapping[str, Callable[[], Detector]],
        limit: float = 5.0,
        reference: str | None = None,
        file: str | None = None,
        picture: str | None = None,
    ) -> None:
        check_finite(limit=limit)
        if not detectors:
            raise UserError("detectors must hold at least one, but is empty: choose one, or no watch.")
        if strange := [name for name, one in detectors.items() if not callable(one)]:
            raise UserError(
                f"detectors must be classes of Detector, each with _partial_: true, but {strange[0]} is "
                f"{detectors[strange[0]]!r}: leave it out."
            )
        if not limit > 0:
            raise UserError(f"limit must be above 0, but is {limit}.")
        self.detectors, self.limit = detectors, limit
        self.reference, self.file, self.picture = reference, file, picture

    def over(self, usual: Mapping[str, Spread]) -> SignalWatch:
        """A watch of a new stream, by what is usual of its signals."""
        return SignalWatch(self.detectors, usual, limit=self.limit)
