"""A callback by which parts of a step hear of validations."""

from typing import Any

import pytorch_lightning as lightning


class ScoreTeller(lightning.Callback):
    """Tells the step's schedule and average of every validation, before checkpoints are saved."""

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        scores = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("dev/")}
        pl_module.step.schedule.note(scores)
        pl_module.step.average.note(scores)
