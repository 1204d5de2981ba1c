"""The checkpoint that is kept as the best."""

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from seq2seq.finite import not_finite


class BestCheckpoint(ModelCheckpoint):
    """The checkpoint of the best validation; one with a score or loss that is not finite is never the best."""

    @property
    def state_key(self) -> str:
        """The name of its state in a checkpoint: that of Lightning's class, which earlier runs kept."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__)

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Tell whether this validation is the best so far."""
        of_dev = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("dev/")}
        return not not_finite(of_dev) and super().check_monitor_top_k(trainer, current)
