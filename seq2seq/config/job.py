"""Queries to Hydra: overrides, choices and folder of the job that runs."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from seq2seq.config.invocation import invocation, is_called


def given_overrides() -> list[str]:
    """The user's overrides, in their order; none outside of a job."""
    if is_called():
        return list(invocation().arguments)
    if not HydraConfig.initialized():
        return []
    return list(HydraConfig.get().overrides.task)


def chosen_option(group: str) -> str:
    """The name of the option that a group of conf/ is at."""
    return str(HydraConfig.get().runtime.choices[group])


def sweep_folder() -> Path | None:
    """The job's own folder in a sweep; None outside of one."""
    if is_called():
        return None
    hydra = HydraConfig.get()
    return Path(hydra.runtime.output_dir) if hydra.mode == RunMode.MULTIRUN else None
