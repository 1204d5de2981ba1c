"""Where a run is written: never over another one, and found again to resume."""

import os
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from seq2seq.assembly.command_line import CONF
from seq2seq.assembly.contract import plain, resolve
from seq2seq.errors import UserError

# Processes that Lightning starts for one run share its folder through this variable; their clocks may differ.
_SHARED = "SEQ2SEQ_RUN_DIR"


def open_run_folder(config: DictConfig) -> tuple[dict[str, Any], Path]:
    """The plain config to train with, and its folder. Raises UserError if the folder already holds a run."""
    if config.resume:
        return _stored(config, list(HydraConfig.get().overrides.task)), Path(config.run_dir)
    resolved = resolve(config)
    if not first_process():
        return resolved, Path(os.environ.get(_SHARED, config.run_dir))
    folder = Path(_chosen(config))
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"run_dir={folder} already holds a run: choose another folder, or add resume=true to continue it."
        )
    os.environ[_SHARED] = str(folder.absolute())
    return resolved, folder


def first_process() -> bool:
    """Whether this process is the first, or the only, of its run; true before Lightning starts the others."""
    return int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", os.environ.get("LOCAL_RANK", "0")))) == 0


def _chosen(config: DictConfig) -> str:
    """`run_dir`, or in a sweep the job's own folder."""
    hydra = HydraConfig.get()
    swept = hydra.mode == RunMode.MULTIRUN
    return hydra.runtime.output_dir if swept else config.run_dir


def _stored(config: DictConfig, overrides: list[str]) -> dict[str, Any]:
    """The config that a run was started with, and overrides of single values on top."""
    record = Path(config.run_dir) / "config.yaml"
    if not record.is_file():
        raise UserError(f"resume=true needs a run to continue, but run_dir={config.run_dir} holds none.")
    stored = OmegaConf.load(record)
    OmegaConf.set_struct(stored, True)
    for override in overrides:
        key, _, value = override.partition("=")
        if key in ("run_dir", "resume"):
            continue
        name = key.lstrip("+~")
        if (CONF / name).is_dir() or OmegaConf.is_dict(OmegaConf.select(stored, name)):
            raise UserError(f"resume=true continues the run as it was: {override} would replace a whole part of it.")
        stored = OmegaConf.merge(stored, OmegaConf.from_dotlist([f"{key}={value}"]))
    return plain(stored)
