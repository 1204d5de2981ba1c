"""The speed at which training goes."""

import time
from typing import Any

import pytorch_lightning as lightning

from seq2seq.data.batch import Batch
from seq2seq.training.callbacks.boards import log
from seq2seq.training.windows import ends_window


class Throughput(lightning.Callback):
    """Logs target tokens per second over all processes, and the share of batches that is not padding.

    Time in validation does not count; it is logged, too.
    """

    def __init__(self) -> None:
        self.tokens, self.seconds = 0.0, 0.0
        self._since: float | None = None  # no window of time is open
        self._validating = 0.0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        if self._since is None:
            self._since = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        if not ends_window(trainer, batch_idx):
            return
        self.tokens += batch.step_tokens
        if trainer.global_step % trainer.log_every_n_steps or self._since is None:  # type: ignore[attr-defined]
            return
        self.seconds = time.monotonic() - self._since
        pl_module.log("train/target_tokens_per_second", self.tokens / self.seconds)
        pl_module.log("train/padding_efficiency", padding_efficiency(batch))
        self._open_anew()

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._open_anew()
        self._validating = time.monotonic()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        log(trainer, {"dev/seconds": time.monotonic() - self._validating})

    def _open_anew(self) -> None:
        self.tokens, self._since = 0.0, None


def padding_efficiency(batch: Batch) -> float:
    """The share of positions that hold a token, both sides together."""
    tokens = int(batch.source_lengths.sum()) + len(batch.target_places)
    return tokens / batch.positions
