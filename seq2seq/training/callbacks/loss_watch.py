"""A watch on losses that a guess would beat."""

import logging
import math
from typing import Any

import pytorch_lightning as lightning

from seq2seq.errors import UserError

logger = logging.getLogger(__name__)
_START = 0.5  # nats by which a model that has just begun may be above a guess


class LossWatch(lightning.Callback):
    """Warns once a run where the model is worse than a uniform guess among its V target tokens, whose loss is log V.

    It is where both losses are above that at a validation, in the first `steps` clearly so; and after these where that
    of dev is twice as high. Raises UserError below 0 steps.
    """

    def __init__(self, *, steps: int = 100) -> None:
        if steps < 0:
            raise UserError(f"steps must be at least 0, but is {steps}.")
        self.steps = steps
        self._warned = False

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if self._warned or not trainer.is_global_zero or "train/loss" not in trainer.callback_metrics:
            return  # no step has been taken yet since the run goes on
        guess = math.log(pl_module.translator.tokenizers.target.size)
        train, dev = (float(trainer.callback_metrics[name]) for name in ("train/loss", "dev/loss"))
        bound = guess + _START if trainer.global_step < self.steps else guess
        found = (
            f"step {trainer.global_step}: dev/loss is {dev:.4g} and train/loss {train:.4g}, but a guess among all "
            f"target tokens has {guess:.2f}"
        )
        if min(train, dev) > bound:
            self._warn(f"{found}: nothing is learnt; lower optimizer.lr")
        elif dev > 2 * guess and trainer.global_step >= self.steps:
            self._warn(
                f"{found}: dev is unlike train, or train is learnt by heart; look at the data, or raise model.dropout"
            )

    def _warn(self, message: str) -> None:
        self._warned = True
        logger.warning("%s", message)

    def state_dict(self) -> dict[str, Any]:
        return {"warned": self._warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._warned = state_dict["warned"]
