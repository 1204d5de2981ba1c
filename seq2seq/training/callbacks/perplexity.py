"""Perplexities, of what is learnt from and of dev."""

import math
from typing import Any

import pytorch_lightning as lightning

from seq2seq.training.callbacks.boards import is_logged, log
from seq2seq.training.windows import ends_window

_MOST = 700.0  # nats that a float has an exponential of


class Perplexity(lightning.Callback):
    """Logs the exponential of the negative log-likelihood per target token, without whatever else is minimised.

    That of train is of one step, with dropout; there is none where an objective does not tell its likelihood.
    """

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if not ends_window(trainer, batch_idx) or not is_logged(trainer, trainer.global_step):
            return
        if pl_module.step_likelihood is not None:
            log(trainer, {"train/perplexity": _perplexity(float(pl_module.step_likelihood))})

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if pl_module.model.output.normalizer != "softmax":
            return  # dev/loss is no likelihood
        log(trainer, {"dev/perplexity": _perplexity(float(trainer.callback_metrics["dev/loss"]))})


def _perplexity(nats: float) -> float:
    return math.exp(min(nats, _MOST))
