"""A sweep: jobs of a script, each with overrides of its own, one after the other."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from seq2seq.config.invocation import is_called


@dataclass(frozen=True)
class Job:
    """A job of a sweep: its number, the overrides that are not all jobs', and the folder of the sweep."""

    number: int
    overrides: Sequence[str]
    folder: Path

    def __str__(self) -> str:
        return f"job {self.number} ({', '.join(self.overrides)})"


def current_job() -> Job | None:
    """The job that runs; None outside of a sweep."""
    if is_called() or not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    hydra = HydraConfig.get()
    own = [text for text in hydra.overrides.task if text not in sys.argv]
    return Job(hydra.job.num, own, Path(hydra.sweep.dir))
