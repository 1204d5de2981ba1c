"""The processes that train one run together, as whoever started them says by environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

OWN = "SEQ2SEQ_PROCESSES"  # how many there are, in those that the first one started
STARTERS = ("itself", "torchrun", "srun")
# Jobs of SLURM in which a shell runs, and no step of several tasks; and the numbers of steps that are none.
_INTERACTIVE = ("interactive", "sh", "bash", "dash", "zsh", "fish", "ksh", "csh", "tcsh")
_NO_STEPS = range(0xFFFFFFF0, 0x100000000)  # a batch script, and the shell that salloc opens on a node
_READ_AT_IMPORT = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")


@dataclass(frozen=True)
class Ranks:
    """Place of this process among the `count` of its run, and of those the `local_count` on this machine.

    `started_by` is one of STARTERS.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    started_by: str = "itself"

    @property
    def machines(self) -> int:
        """The number of machines, each with as many processes."""
        return max(1, self.count // self.local_count)


def ranks(environment: Mapping[str, str] | None = None) -> Ranks:
    """The processes of this run; the only one, where nobody has started others yet."""
    found = os.environ if environment is None else environment

    def number(name: str, default: int = 0) -> int:
        """A number that a variable holds; what another job has left there need be none."""
        text = found.get(name, "")
        return int(text) if _is_number(text) else default

    if "TORCHELASTIC_RUN_ID" in found:
        count = number("WORLD_SIZE", 1)
        return Ranks(
            number("RANK"), count, number("LOCAL_RANK"), number("LOCAL_WORLD_SIZE", count), started_by="torchrun"
        )
    if OWN in found:
        return Ranks(number("LOCAL_RANK"), number(OWN), number("LOCAL_RANK"), number(OWN))
    if _is_srun(found, number("SLURM_STEP_ID")):
        count = number("SLURM_STEP_NUM_TASKS", number("SLURM_NTASKS", 1))
        local = count // max(1, number("SLURM_STEP_NUM_NODES", number("SLURM_NNODES", 1)))
        return Ranks(number("SLURM_PROCID"), count, number("SLURM_LOCALID"), max(1, local), started_by="srun")
    return Ranks()


def _is_srun(found: Mapping[str, str], step: int) -> bool:
    """Tell whether this process is a task of srun, and not what somebody typed into a shell on the node."""
    return "SLURM_STEP_ID" in found and step not in _NO_STEPS and found.get("SLURM_JOB_NAME") not in _INTERACTIVE


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def forget_no_numbers() -> None:
    """Drop ranks from the environment that are no numbers: libraries read them as they are imported, and fail."""
    for name in _READ_AT_IMPORT:
        if not _is_number(os.environ.get(name, "0")):
            del os.environ[name]


def first_process() -> bool:
    """Tell whether this process is the first, or the only, of its run; before it starts the others, it is."""
    return ranks().rank == 0
