"""Numbers for the loggers of a run that no checkpoint is chosen by."""

from collections.abc import Mapping
from typing import Any


def is_logged(trainer: Any, step: int) -> bool:
    """Tell whether there are loggers in this process, and a step is one that they see."""
    return trainer.is_global_zero and bool(trainer.loggers) and step % trainer.log_every_n_steps == 0


def log(trainer: Any, scalars: Mapping[str, float]) -> None:
    """Hand numbers of the present step to every logger. They stay out of what Lightning keeps, and so need no wait."""
    if trainer.is_global_zero and scalars:
        for board in trainer.loggers:
            board.log_metrics(dict(scalars), trainer.global_step)
