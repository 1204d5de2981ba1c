"""Tables and boards of a run, which one that goes on has as they were at its checkpoint."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.loggers import TensorBoardLogger

from seq2seq.training.csv_logger import CSVLogger

_KEY = "logged"  # in a checkpoint
_ROWS = "rows"  # beside names of event files


def record_logged(trainer: lightning.Trainer, checkpoint: dict[str, Any]) -> None:
    """Add to a checkpoint how long the run's table and event files are, with all that was logged on disk."""
    sizes: dict[str, int] = {}
    for logger in trainer.loggers if trainer.is_global_zero else ():
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.flush()
            sizes |= {path.name: path.stat().st_size for path in _events(logger)}
        elif isinstance(logger, CSVLogger):
            sizes[_ROWS] = logger.rows_on_disk()
    if sizes:
        checkpoint[_KEY] = sizes


def cut_logged(trainer: lightning.Trainer, checkpoint: Mapping[str, Any]) -> None:
    """Take away what was logged after a checkpoint, as it is logged anew.

    Boards stay as they are where an earlier checkpoint does not know them. Raises UserError where a table cannot be
    read.
    """
    sizes = checkpoint.get(_KEY, {})
    for logger in trainer.loggers if trainer.is_global_zero else ():
        if isinstance(logger, CSVLogger):
            logger.go_on_from(checkpoint["global_step"], sizes.get(_ROWS))
        elif isinstance(logger, TensorBoardLogger) and sizes.keys() - {_ROWS}:
            for path in _events(logger):
                if path.name not in sizes:
                    path.unlink()
                elif path.stat().st_size > sizes[path.name]:
                    os.truncate(path, sizes[path.name])


def _events(logger: TensorBoardLogger) -> list[Path]:
    return sorted(Path(logger.log_dir).glob("events.out.tfevents.*"))
