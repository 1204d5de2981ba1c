"""The validations of a run, to look back on."""

from dataclasses import astuple
from typing import Any

import pytorch_lightning as lightning

from seq2seq.training.callbacks.progress_line import Window
from seq2seq.training.verdict import Validation
from seq2seq.training.windows import ends_window


class History(lightning.Callback):
    """The validations of a run, over interruptions too: losses of dev and of the steps before it, and the score."""

    def __init__(self, *, monitor: str) -> None:
        self.monitor = monitor
        self.validations: list[Validation] = []
        self._window = Window()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if ends_window(trainer, batch_idx) and pl_module.step_likelihood is not None:
            self._window.note(pl_module.step_likelihood, batch.step_tokens)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        dev, score = (float(trainer.callback_metrics[name]) for name in ("dev/loss", self.monitor))
        spent = pl_module.budget.spent(trainer.global_step)
        self.validations.append(Validation(trainer.global_step, spent, self._window.read().loss, dev, score))

    def state_dict(self) -> dict[str, Any]:
        return {"validations": [list(astuple(one)) for one in self.validations]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validations = [Validation(*values) for values in state_dict["validations"]]
