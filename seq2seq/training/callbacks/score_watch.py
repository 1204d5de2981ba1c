"""A watch on the score that the best checkpoint is chosen by."""

import logging
from typing import Any

import pytorch_lightning as lightning

from seq2seq.errors import UserError

logger = logging.getLogger(__name__)
_IDEAL = {"max": 100.0, "min": 0.0}


class ScoreWatch(lightning.Callback):
    """Warns once where a score was the same at `validations` in a row, from the first on, while the loss changed.

    A score that is as good as can be may stay. Raises UserError below 2 validations and at a mode but max and min.
    """

    def __init__(self, *, monitor: str, mode: str, validations: int = 3) -> None:
        if validations < 2:
            raise UserError(f"validations must be at least 2, but is {validations}: a single one has nothing to equal.")
        if mode not in _IDEAL:
            raise UserError(f"mode must be max or min, but is {mode!r}.")
        self.monitor, self.mode, self.validations = monitor, mode, validations
        self._scores: list[float] = []
        self._losses: list[float] = []

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.is_global_zero or len(self._scores) == self.validations:
            return
        self._scores.append(float(trainer.callback_metrics[self.monitor]))
        self._losses.append(float(trainer.callback_metrics["dev/loss"]))
        if len(self._scores) < self.validations or len(set(self._scores)) > 1 or len(set(self._losses)) == 1:
            return
        if self._scores[0] == _IDEAL[self.mode]:
            return
        logger.warning(
            "step %d: %s was %.2f at all of the first %d validations, while dev/loss went from %.2f to %.2f: it cannot "
            "tell which checkpoint is best. Look at what comes out; another monitor.metric, or other options of the "
            "metric, may suit these texts",
            *(trainer.global_step, self.monitor, self._scores[0], self.validations),
            *(self._losses[0], self._losses[-1]),
        )
