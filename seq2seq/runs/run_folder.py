"""Run folders: never written over another run, and found again to resume."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from seq2seq.config.contract import resolve
from seq2seq.config.job import sweep_folder
from seq2seq.config.stored import continued
from seq2seq.errors import UserError

# Processes that Lightning starts for one run share its folder through this variable; their clocks may differ.
_SHARED = "SEQ2SEQ_RUN_DIR"


def open_run_folder(config: DictConfig) -> tuple[dict[str, Any], Path]:
    """The plain config to train with, and the folder that the run is written to.

    Raises UserError if the folder already holds a run, or holds none to resume.
    """
    if config.resume:
        folder = Path(config.run_dir)
        return _stored(folder, config.get("changes", [])), folder
    resolved = resolve(config)
    if not first_process():
        return resolved, Path(os.environ.get(_SHARED, config.run_dir))
    folder = sweep_folder() or Path(config.run_dir)
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"run_dir={folder} already holds a run: choose another folder, or add resume=true to continue it."
        )
    os.environ[_SHARED] = str(folder.absolute())
    return resolved, folder


def first_process() -> bool:
    """Tell whether this process is the first, or the only, of its run; before Lightning starts the others, it is."""
    return int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", os.environ.get("LOCAL_RANK", "0")))) == 0


def _stored(folder: Path, changes: Sequence[str]) -> dict[str, Any]:
    """The config that a run was started with, and the user's overrides on top."""
    record = folder / "config.yaml"
    if not record.is_file():
        raise UserError(f"resume=true needs a run to continue, but run_dir={folder} holds none.")
    return continued(record, changes)
