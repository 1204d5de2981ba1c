"""The outcome of a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq.data.examples import Example


@dataclass(frozen=True)
class Outcome:
    """Record of a run: its scores on test, else dev, and what it cost; with the examples of that split and its outputs.

    `monitored` names the score on dev that the best checkpoint was chosen by, and `higher` says whether more is better.
    Processes other than the first have none of it.
    """

    record: dict[str, Any] = field(default_factory=dict)
    examples: Sequence[Example] = ()
    outputs: Sequence[str] = ()
    monitored: str = ""
    higher: bool = True

    @property
    def scores(self) -> dict[str, float]:
        """Scores in percent by name."""
        return dict(self.record.get("scores", {}))

    @property
    def objective(self) -> float:
        """The score on dev, all of it, to choose other settings by; not a number where there is none."""
        scores = self.record.get("dev", self.record).get("scores", {})
        return float(scores.get(self.monitored, float("nan")))
