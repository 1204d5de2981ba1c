"""The test that new weights have to pass before they are used: better on what is new, not worse on what is old."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.metrics.significance import Draws, Interval, differences
from seq2seq.shapes import SentenceCounts
from seq2seq.training.yardsticks import Yardstick
from seq2seq.translation.translator import Translator

_FEWEST = 100  # draws: the ends of an interval of 95 % are the third lowest and highest


@dataclass(frozen=True)
class ScoreChange:
    """The change of a score on examples, with its interval of 95 % by paired bootstrap; what is above 0 is better."""

    before: float
    after: float
    gain: float
    interval: Interval
    sentences: int

    def record(self) -> dict[str, Any]:
        """The change in types of JSON."""
        interval = [round(end, 4) for end in self.interval]
        rounded = {"before": self.before, "after": self.after, "gain": self.gain}
        rounded = {name: round(value, 4) for name, value in rounded.items()}
        return {**rounded, "interval": interval, "sentences": self.sentences}

    def __str__(self) -> str:
        low, high = self.interval
        ends = f"{self.gain:+.2f}, 95 %: {low:+.2f} to {high:+.2f}"
        return f"{self.before:.2f} -> {self.after:.2f} ({ends}; {self.sentences} sentences)"


@dataclass(frozen=True)
class Verdict:
    """Findings of a test: the change on new examples, that on old ones, and why it failed; "" where it did not."""

    new: ScoreChange
    old: ScoreChange
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Tell whether the candidate is to be used."""
        return not self.reason


class AcceptanceTest:
    """A test by paired bootstrap (Koehn 2004).

    On new examples the candidate must be better than what is served: all of the interval of 95 % is above 0. On old
    ones it must not be worse than the start by over `tolerance`, of which nothing of the interval may come short: that
    what is served is compared with the start, and not with what was accepted last, keeps small losses from adding up.
    Raises UserError at a tolerance below 0, without old examples, or at fewer than 100 draws.
    """

    def __init__(self, yardstick: Yardstick, old: Sequence[Example], *, tolerance: float, draws: Draws) -> None:
        if not tolerance >= 0:
            raise UserError(f"tolerance must be at least 0, but is {tolerance}.")
        if draws.bootstrap < _FEWEST:
            raise UserError(f"bootstrap must be at least {_FEWEST}, but is {draws.bootstrap}.")
        if not old:
            raise UserError("old examples must be there to judge by, but there are none.")
        self.yardstick, self.old, self.tolerance, self.draws = yardstick, old, tolerance, draws
        self._at_start: SentenceCounts | None = None

    def begin(self, start: Translator) -> None:
        """Take in what the start makes of the old examples, which all candidates are compared with."""
        self._at_start = self.yardstick.counts(start, self.old)

    def __call__(self, candidate: Translator, served: Translator, new: Sequence[Example]) -> Verdict:
        assert self._at_start is not None  # begun
        measured = self.yardstick.counts
        of_new = self._change(measured(candidate, new), measured(served, new))
        of_old = self._change(measured(candidate, self.old), self._at_start)
        if not of_new.interval[0] > 0:
            return Verdict(of_new, of_old, "not surely better on what is new")
        if of_old.interval[0] < -self.tolerance:
            return Verdict(of_new, of_old, f"perhaps worse on what is old by over {self.tolerance:g}")
        return Verdict(of_new, of_old)

    def _change(self, counts: SentenceCounts, baseline: SentenceCounts) -> ScoreChange:
        stick = self.yardstick
        found = differences(counts, baseline, stick.scores, self.draws)[stick.name]
        assert found.interval is not None  # drawn
        low, high = sorted(stick.sign * end for end in found.interval)
        before, after = (float(stick.scores(part.sum(0)[None])[stick.name][0]) for part in (baseline, counts))
        return ScoreChange(before, after, stick.sign * found.difference, (low, high), len(counts))
