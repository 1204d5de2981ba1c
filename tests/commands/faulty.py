"""A callback that ends one process of several at a step."""

import os
import signal

import pytorch_lightning as lightning


class Fault(lightning.Callback):
    def __init__(self, *, rank: int, step: int, kind: str) -> None:
        self.rank, self.step, self.kind = rank, step, kind

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_rank != self.rank or trainer.global_step != self.step:
            return
        if self.kind == "raise":
            raise RuntimeError("a fault\nin two lines")
        if self.kind == "memory":
            bytearray(1 << 60)
        os.kill(os.getpid(), getattr(signal, self.kind))
