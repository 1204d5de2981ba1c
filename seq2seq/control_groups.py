"""Control groups of Linux that this process is in, and the processors that are at hand."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def group_folders(root: Path = ROOT) -> list[Path]:
    """Folders of this process's groups of version 2, from the top down; `root` is where Linux keeps what it tells."""
    top = root / "sys/fs/cgroup"
    own = _own_group(root).parts[1:]
    return [top.joinpath(*own[:depth]) for depth in range(len(own) + 1)]


def quota(root: Path = ROOT) -> int | None:
    """The number of processors that the quotas of groups leave, rounded up; None where there is no quota."""
    shares = [*_shares(root)]
    return max(1, math.ceil(min(shares))) if shares else None


def processors(root: Path = ROOT) -> int:
    """The number of processors at hand: those that this process is bound to, or else all, as far as quotas leave them.

    OpenMP counts the processors of the machine: in a container with a share of them, threads wait for each other while
    the group is held back.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    left = quota(root)
    return bound if left is None else min(bound, left)


def threads_left(threads: int, root: Path = ROOT) -> int:
    """The number of threads to start where a library would start so many: no more than processors are at hand.

    Whoever has set OMP_NUM_THREADS keeps that.
    """
    return threads if "OMP_NUM_THREADS" in os.environ else min(threads, processors(root))


def threads_each(several: int, root: Path = ROOT) -> int:
    """The number of threads for each of several processes side by side: its share of the processors at hand."""
    return max(1, processors(root) // several)


def _shares(root: Path) -> Iterator[float]:
    """Quotas over their periods, of both versions."""
    for folder in group_folders(root):
        with suppress(OSError, ValueError):  # no such file, or no quota, which is called max
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
            yield int(quota) / int(period)
    for name in ("cpu", "cpu,cpuacct"):
        with suppress(OSError, ValueError):
            first = root / "sys/fs/cgroup" / name
            quota, period = ((first / f"cpu.cfs_{one}_us").read_text(encoding="utf-8") for one in ("quota", "period"))
            if int(quota) > 0:  # -1 is none
                yield int(quota) / int(period)


def _own_group(root: Path) -> PurePosixPath:
    """The path of this process's group of version 2."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::/"):
                return PurePosixPath(line.removeprefix("0::"))
    return PurePosixPath("/")
