"""The fit of a run, and what is said where it is interrupted."""

import logging
import signal
import sys
from pathlib import Path

import pytorch_lightning as lightning

from seq2seq.commands.training.continuation import continuation
from seq2seq.commands.training.processes import together
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.runs.run_folder import discard
from seq2seq.training.free_memory import give_back
from seq2seq.training.interruption import StoppedError
from seq2seq.training.module import Seq2SeqModule
from seq2seq.training.out_of_memory import shape_of, told_short_for
from seq2seq.training.processes import end_processes

logger = logging.getLogger(__name__)


def fit(trainer: lightning.Trainer, module: Seq2SeqModule, start: Path | None, *, data: Seq2SeqDataModule) -> None:
    """Fit from a checkpoint, or anew, with all processes.

    Where it is interrupted, the line to go on with is told, and KeyboardInterrupt or SystemExit raised.
    """
    with together(trainer, data):
        _fit_here(trainer, module, start, data)
        end_processes()  # metrics must not wait for the others


def _fit_here(trainer: lightning.Trainer, module: Seq2SeqModule, start: Path | None, data: Seq2SeqDataModule) -> None:
    folder = Path(trainer.default_root_dir)
    give_back()  # what reading and encoding have left is of other sizes than steps need
    try:
        with told_short_for(lambda: _under_way(trainer, module)):
            trainer.fit(module, datamodule=data, ckpt_path=str(start) if start else None)
        if module.interruption.number:  # it came behind the last step, and the report is left to whoever goes on
            raise StoppedError(module.interruption.number)
    except StoppedError as stop:
        if trainer.is_global_zero:
            logger.warning(
                "interrupted by %s at step %d; continue with %s", stop, trainer.global_step, continuation(folder)
            )
        if stop.number == signal.SIGINT:
            raise KeyboardInterrupt from None
        sys.exit(128 + signal.SIGTERM)
    except SystemExit:
        if not trainer.interrupted:
            raise
        # Lightning turned a Ctrl-C that could not wait into an exit of its own, without a word on what is kept.
        kept = any((folder / "checkpoints").glob("*.ckpt"))
        if not kept and trainer.is_global_zero:
            discard(folder)
        logger.warning("interrupted at step %d; %s", trainer.global_step, _what_is_left(folder, kept))
        raise KeyboardInterrupt from None


def _what_is_left(folder: Path, kept: bool) -> str:
    """Say what a run that ended at once leaves, which is its folder if a checkpoint is kept."""
    if kept:
        return f"continue with {continuation(folder)}"
    return f"no checkpoint was due yet, and {folder} is removed"


def _under_way(trainer: lightning.Trainer, module: Seq2SeqModule) -> str:
    """Say what training was at, in words."""
    if not module.model.training or not module.under_way:
        return "a validation"
    return f"step {trainer.global_step} ({shape_of(module.under_way[-1])})"
