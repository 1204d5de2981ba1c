"""The memory that training takes."""

import sys
from typing import Any

import pytorch_lightning as lightning
import torch

from seq2seq.training.callbacks.boards import is_logged, log
from seq2seq.training.windows import ends_window

_MEBIBYTE = 1 << 20


class PeakMemory(lightning.Callback):
    """Logs the most memory so far in MiB: what tensors had on a GPU, or else all that the process has had."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if ends_window(trainer, batch_idx) and is_logged(trainer, trainer.global_step):
            log(trainer, {"memory/peak_mib": peak / _MEBIBYTE} if (peak := peak_bytes(pl_module.device)) else {})


def peak_bytes(device: torch.device) -> int:
    """The most bytes so far; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
