"""Callbacks that end one process of several at a step, let it be short of memory there, or wait for ever."""

import os
import signal
import threading
from functools import partial
from pathlib import Path

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


class Short(lightning.Callback):
    """Memory that is not enough for a batch of one process, as it goes forward or back."""

    def __init__(self, *, rank: int, step: int, where: str) -> None:
        self.rank, self.step, self.where = rank, step, where

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_rank != self.rank or trainer.global_step != self.step:
            return
        if self.where == "forward":
            whole = pl_module.step.loss
            pl_module.step.loss = partial(self._forward, pl_module.step, whole, len(batch.source))
        else:
            first = next(iter(pl_module.model.encoder.parameters()))
            self.hook = first.register_hook(self._backward)

    def _forward(self, own, whole, rows, /, batch, **now):
        if len(batch.source) == rows:
            raise MemoryError
        vars(own).pop("loss", None)
        return whole(batch, **now)

    def _backward(self, gradient) -> None:
        self.hook.remove()
        raise MemoryError


class Stuck(lightning.Callback):
    """A process that waits behind a step, for ever, for a lock that nobody gives back; a file says so."""

    def __init__(self, *, step: int, path: str) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            Path(self.path).touch()
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
