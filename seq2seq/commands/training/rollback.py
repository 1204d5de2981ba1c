"""Training that has diverged, taken back to a good checkpoint, from which it goes on at half the rate."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning

from seq2seq.commands.building.module import build_module
from seq2seq.commands.building.trainer import build_trainer
from seq2seq.config.contract import check_counts
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.errors import DivergedError, UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.training.logged import cut_logged
from seq2seq.training.module import Seq2SeqModule

logger = logging.getLogger(__name__)
CHOICES = ("stop", "roll_back")
MAX_ROLLBACKS = 3  # where nothing else is said
Fit = Callable[[lightning.Trainer, Seq2SeqModule, Path | None], None]


def check_divergence(config: dict[str, Any], processes: int) -> None:
    """Check what is to be done where training diverges. Raises UserError if it cannot be."""
    chosen = config["on_divergence"]
    if chosen not in CHOICES:
        raise UserError(f"on_divergence must be stop or roll_back, but is {chosen!r}.")
    check_counts(config, max_rollbacks=1)
    if chosen == "stop" and config["max_rollbacks"] != MAX_ROLLBACKS:
        raise UserError(
            f"max_rollbacks needs on_divergence=roll_back, but that is stop: leave it at {MAX_ROLLBACKS}, or roll back."
        )
    if chosen == "roll_back" and processes > 1:
        raise UserError(
            f"on_divergence=roll_back needs one process, but there are {processes}: use trainer.devices=1, or stop."
        )


def fit_through(
    fit: Fit,
    trainer: lightning.Trainer,
    module: Seq2SeqModule,
    data: Seq2SeqDataModule,
    config: dict[str, Any],
    start: Path | None,
) -> tuple[lightning.Trainer, Seq2SeqModule]:
    """Fit from a checkpoint, or anew, and return the trainer and module that came to the end.

    With on_divergence=roll_back, training that diverges goes on from the last good checkpoint at half the rate, and so
    does it the next time, up to max_rollbacks times. Raises DivergedError after that, or where there is no checkpoint.
    """
    folder = Path(trainer.default_root_dir)
    while True:
        try:
            fit(trainer, module, start)
            return trainer, module
        except DivergedError as error:
            done = len(module.rollbacks)
            if config["on_divergence"] != "roll_back" or done >= config["max_rollbacks"]:
                raise
            if (start := _good_checkpoint(folder / "checkpoints")) is None:
                raise
            checkpoint = read_checkpoint(start)
            step, back = trainer.global_step, int(checkpoint["global_step"])
            logger.warning(
                "%s; rolled back to step %d, from which training goes on at 1/%d of the rate (%d of %d times)",
                *(str(error).partition(": ")[0], back, 2 ** (done + 1), done + 1, config["max_rollbacks"]),
            )
            rollbacks = [*module.rollbacks, [step, back]]
            trainer, module = build_trainer(config, folder), build_module(config, data)
            module.rollbacks = rollbacks
            cut_logged(trainer, checkpoint)


def _good_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint, or the best if that alone was written while steps were taken; None where there is none."""
    found = [path for name in ("last", "best") if (path := folder / f"{name}.ckpt").is_file()]
    for path in found:
        if read_checkpoint(path).get("skipped_steps", {}).get("in_a_row", 0) == 0:
            return path
    return found[0] if found else None
