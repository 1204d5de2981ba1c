"""The checkpoint that is kept as the best, and how all are written."""

import io
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from seq2seq.finite import not_finite
from seq2seq.whole_file import write_whole


class KeptCheckpoint(ModelCheckpoint):
    """A checkpoint of one name in a folder, known by its score wherever the folder is: moved, copied or renamed."""

    @property
    def state_key(self) -> str:
        """The name of its state in a checkpoint: that of Lightning's class, which earlier runs kept."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__)

    def state_dict(self) -> dict[str, Any]:
        """The scores of the best and of the last, without a path."""
        names = ("monitor", "best_model_score", "current_score", "kth_value")
        return {name: value for name, value in super().state_dict().items() if name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up scores, as those of the file that this folder has."""
        assert self.dirpath is not None
        score, path = state_dict["best_model_score"], str(Path(self.dirpath) / f"{self.filename}.ckpt")
        here = {"dirpath": self.dirpath, "best_model_path": path, "kth_best_model_path": path, "last_model_path": path}
        super().load_state_dict(state_dict | here | {"best_k_models": {} if score is None else {path: score}})
        self.current_score = state_dict.get("current_score")  # which Lightning does not take up


class BestCheckpoint(KeptCheckpoint):
    """The checkpoint of the best validation; one with a score or loss that is not finite is never the best.

    Of equal scores the last is the best: while no word is right yet, all are, and models learn all the same.
    """

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Tell whether no validation so far was better than this."""
        if not_finite(_of_dev(trainer)):
            return False
        better = super().check_monitor_top_k(trainer, current)  # which processes agree on
        return better or (self.best_model_score is not None and bool(current == self.best_model_score))

    def begin_anew(self) -> None:
        """Forget what was the best so far: the next is."""
        self.best_k_models, self.best_model_score, self.best_model_path = {}, None, ""
        self.kth_best_model_path, self.kth_value = "", torch.tensor(torch.inf if self.mode == "min" else -torch.inf)


class WholeFiles(TorchCheckpointIO):
    """Writes of checkpoints that are on disk, whole, once they return; before that the file of before is there.

    Lightning would stage them in another folder and say nothing of one that it has no permission for.
    Raises OSError that names the file where it cannot be written.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint to a path."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with buffer.getbuffer() as data:
            write_whole(Path(path), data)


def improves(trainer: Any) -> bool:
    """Tell whether no validation was better than one that is not saved yet; never where no best is kept."""
    for kept in trainer.checkpoint_callbacks:
        if isinstance(kept, BestCheckpoint):
            before, now = kept.best_model_score, trainer.callback_metrics[kept.monitor]
            better = before is None or bool(now >= before if kept.mode == "max" else now <= before)
            return better and not not_finite(_of_dev(trainer))
    return False


def _of_dev(trainer: Any) -> dict[str, Tensor]:
    return {name: value for name, value in trainer.callback_metrics.items() if name.startswith("dev/")}
