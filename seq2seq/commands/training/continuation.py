"""A run that goes on: what is checked and recorded before it does, and the line to type for it."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning

from seq2seq.config.invocation import is_called
from seq2seq.config.overrides import command, override
from seq2seq.config.stored import record_changes, with_changes
from seq2seq.data.examples import Splits
from seq2seq.data.splitting import Fingerprint
from seq2seq.errors import UserError
from seq2seq.ranks import first_process
from seq2seq.runs.checkpoint import read_checkpoint, recorded_splits
from seq2seq.runs.data_changes import DataChanges
from seq2seq.runs.evaluation import warn_of_other_data
from seq2seq.runs.record import read_record
from seq2seq.training.interruption import is_validation_due
from seq2seq.training.logged import cut_logged
from seq2seq.training.module import Seq2SeqModule
from seq2seq.whole_file import remove_parts

logger = logging.getLogger(__name__)


def continuation(folder: Path) -> str:
    """The line to type to go on with a run."""
    if is_called():
        return f"seq2seq.train(run_dir={str(folder)!r}, resume=True)"
    return command(sys.argv[0], [override("run_dir", str(folder)), "resume=true"])


def take_up(
    trainer: lightning.Trainer,
    module: Seq2SeqModule,
    start: Path,
    splits: Splits,
    config: dict[str, Any],
    *,
    accepts: bool = False,
) -> bool:
    """Record what is changed of a run that goes on, and tell whether it does: else, only its report is missing.

    Raises UserError at a run that is done or cannot go on, and at other data than its own unless it accepts them.
    """
    checkpoint, folder = read_checkpoint(start, whole=True), Path(trainer.default_root_dir)
    module.budget.restore(checkpoint["seconds"])
    end = "" if is_validation_due(checkpoint) else _end(checkpoint, module, config)
    if end and _is_reported(folder, checkpoint):
        raise UserError(end)
    (state,), groups = checkpoint["optimizer_states"], module.step.new_optimizer().param_groups
    if len(state["param_groups"]) != len(groups):
        raise UserError("optimizer.weight_decay is new to this run, which began without: start another, with init.")
    _take_data(folder, module, recorded_splits(checkpoint), splits, accepts=accepts)
    if first_process():
        remove_parts(start.parent)
        cut_logged(trainer, checkpoint)
        record_changes(folder, with_changes(checkpoint["config"], folder), config)
        if end:
            logger.warning("%s Its report was missing, and is made now.", end)
    return not end


def end_of(start: Path) -> dict[str, Any]:
    """Entries of the record of a run that is over, of its end."""
    return {"last_step": read_checkpoint(start)["global_step"]}


def _is_reported(folder: Path, checkpoint: Mapping[str, Any]) -> bool:
    """Tell whether the record of a run is of this end: it may be of one before, from which the run went on."""
    path = folder / "metrics.json"
    if not path.is_file():
        return False
    step = checkpoint["global_step"]
    return bool(read_record(path).get("last_step", step) == step)  # those of before did not tell


def _take_data(
    folder: Path, module: Seq2SeqModule, known: Mapping[str, Fingerprint], splits: Splits, *, accepts: bool
) -> None:
    """Go on with data that are those of before, or are accepted and so recorded. Raises UserError at others."""
    changes = DataChanges.of(known, splits)
    if not accepts:
        changes.refuse(folder)
    if "train" in changes.differing:
        module.step.carried.begin_anew()
    if not first_process():
        return
    if accepts:
        changes.accept(folder)
    if not known:
        warn_of_other_data(known, splits, "train", "dev", "test")


def _end(checkpoint: dict[str, Any], module: Seq2SeqModule, config: dict[str, Any]) -> str:
    """A sentence on why the training of a checkpoint is over, and what would make it go on; none where it is not."""
    step = checkpoint["global_step"]
    if module.budget.spent(step) >= 1:
        return (
            f"The run has used up its budget ({module.budget}) at step {step}: "
            "raise budget.max_steps or budget.max_minutes to go on."
        )
    stopping = (config["callbacks"] or {}).get("early_stopping") or {}
    waited = [state["wait_count"] for key, state in checkpoint["callbacks"].items() if key.startswith("EarlyStopping")]
    if waited and max(waited) >= stopping.get("patience", float("inf")):
        return (
            f"The run has stopped early at step {step}, as {max(waited)} validations in a row were no better: "
            "raise callbacks.early_stopping.patience to go on."
        )
    return ""
