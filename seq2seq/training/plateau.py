"""A learning rate that falls where the score does not get better."""

from collections.abc import Mapping
from typing import Any

from seq2seq.errors import UserError, check_finite
from seq2seq.training.schedules import Schedule
from seq2seq.training.scores_seen import Monitored


class PlateauSchedule(Schedule):
    """A factor that is multiplied by `shrink` after `patience` validations in a row without a better score.

    As Wu et al. 2016 and others anneal, by the score that `monitor` names. Better is so by more than `threshold`; a
    score that is not finite is not better. The factor stays at `lowest` or above. Its counts are
    in the checkpoint. Raises UserError outside of ranges.
    """

    def __init__(
        self,
        *,
        warmup_steps: int = 400,
        monitor: str = "dev/loss",
        mode: str = "min",
        shrink: float = 0.5,
        patience: int = 3,
        threshold: float = 0.0,
        lowest: float = 0.01,
    ) -> None:
        check_finite(threshold=threshold)
        super().__init__(warmup_steps=warmup_steps)
        self.monitored = Monitored(monitor, mode)
        if not 0 < shrink < 1:
            raise UserError(f"shrink must be above 0 and below 1, but is {shrink}: a rate that stays is constant.")
        if patience < 1:
            raise UserError(f"patience must be at least 1, but is {patience}.")
        if threshold < 0:
            raise UserError(f"threshold must be at least 0, but is {threshold}.")
        if not 0 < lowest <= 1:
            raise UserError(f"lowest must be above 0 and at most 1, but is {lowest}.")
        self.shrink, self.patience, self.threshold, self.lowest = shrink, patience, threshold, lowest
        self.falls, self.waited = 0, 0
        self.best: float | None = None

    def note(self, scores: Mapping[str, float]) -> None:
        """Take in the scores of a validation, and let the factor fall if it is the last that was waited for."""
        loss = self.monitored.read(scores)
        if self.best is None or loss < self.best - self.threshold:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited == self.patience:
            self.falls, self.waited = self.falls + 1, 0

    def begin_anew(self) -> None:
        """Forget the best score and the validations that were waited for; the factor stays."""
        self.best, self.waited = None, 0

    def decay(self, step: int, spent: float) -> float:
        return float(max(self.lowest, self.shrink**self.falls))

    def state_dict(self) -> dict[str, Any]:
        """Falls, validations waited for since the last, and the best score as a loss."""
        return {"falls": self.falls, "waited": self.waited, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what an interrupted run left."""
        self.falls, self.waited, self.best = (state[name] for name in ("falls", "waited", "best"))
