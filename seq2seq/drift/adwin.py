"""Adaptive windowing: a window over the last values that is cut where its two parts have different means."""

from collections.abc import Iterator
from math import log, sqrt
from typing import NamedTuple

from seq2seq.drift.detector import Detector, Recent, check_value
from seq2seq.drift.moments import Moments
from seq2seq.errors import UserError


class _Cut(NamedTuple):
    """A cut between means that differ: how much, in deviations of the difference, and what came behind it."""

    size: float
    newer: Recent


class Adwin(Detector):
    """An alarm where a window over what came last falls into two parts of different means (Bifet & Gavalda 2007).

    For every cut of the window into n0 older and n1 newer values, the means differ if

        |mean0 - mean1| > sqrt(2 / m variance ln(2 / d)) + 2 / (3 m) ln(2 / d),    1 / m = 1 / n0 + 1 / n1,

    with d = `delta` / ln n for a window of n values. The next value then begins another window, as in river. Each part
    has at least `shortest` values, which n0 and n1 above are counted from.

    The window is kept as sums over 2^i values, at most `buckets` of each size, so that memory grows with log n. Cuts
    are looked at between them, at every `every`-th value.
    """

    _change: _Cut | None

    def __init__(self, *, delta: float = 0.002, every: int = 32, buckets: int = 5, shortest: int = 5) -> None:
        if not 0 < delta < 1:
            raise UserError(f"delta must be above 0 and below 1, but is {delta}.")
        for name, value, lowest in (("every", every, 1), ("buckets", buckets, 2), ("shortest", shortest, 1)):
            if value < lowest:
                raise UserError(f"{name} must be at least {lowest}, but is {value}.")
        self.delta, self.every, self.buckets, self.shortest = delta, every, buckets, shortest
        self._begin()

    def update(self, value: float) -> bool:
        check_value(value)
        if self._change is not None:
            self._begin()
        self._rows[0].append(Moments(1, value))
        self._window += self._rows[0][-1]
        self._merge()
        if self._window.count % self.every == 0 and self._window.count > 2 * self.shortest:
            self._change = max(self._changes(), default=None)
        return self._change is not None

    @property
    def recent(self) -> Recent:
        """The mean and number of values in the window, at an alarm behind the cut that parts it best."""
        window = self._window
        return Recent(window.mean, window.count) if self._change is None else self._change.newer

    @property
    def size(self) -> int:
        """The number of sums that are kept."""
        return sum(map(len, self._rows))

    def _begin(self) -> None:
        self._rows: list[list[Moments]] = [[]]  # row i has sums over 2^i values each, oldest first
        self._window = Moments()
        self._change = None

    def _merge(self) -> None:
        """Merge the two oldest sums of a size that has too many into one of the next."""
        for size, row in enumerate(self._rows):
            if len(row) <= self.buckets:
                return
            if size + 1 == len(self._rows):
                self._rows.append([])
            self._rows[size + 1].append(row[0] + row[1])
            del row[:2]

    def _changes(self) -> Iterator[_Cut]:
        """The cuts on both sides of which means differ."""
        window = self._window
        confidence = log(2 * log(window.count) / self.delta)
        spread = 2 * window.variance * confidence
        older, total = 0, 0.0
        for bucket in self._oldest_first():
            older, total = older + bucket.count, total + bucket.total
            if older < self.shortest or (newer := window.count - older) < self.shortest:
                continue
            inverse = 1 / (older - self.shortest + 1) + 1 / (newer - self.shortest + 1)
            mean = (window.total - total) / newer
            apart = abs(total / older - mean)
            if apart > sqrt(spread * inverse) + 2 / 3 * confidence * inverse:
                yield _Cut(apart * sqrt(older * newer / window.count), Recent(mean, newer))

    def _oldest_first(self) -> Iterator[Moments]:
        for row in reversed(self._rows):
            yield from row
