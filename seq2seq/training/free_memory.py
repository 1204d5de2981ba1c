"""Memory that there is still: of a GPU, or of the machine and of the control groups that this process is in."""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from seq2seq.control_groups import ROOT, group_folders


def free_bytes(device: torch.device, root: Path = ROOT) -> int | None:
    """The bytes that tensors on a device can still take; None where the system does not tell.

    `root` is where Linux keeps what it tells.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min((found for found in (_of_machine(root), *_of_groups(root)) if found is not None), default=None)


def give_back() -> None:
    """Give memory that was freed back to the system, where the C library keeps it and can be told to: glibc's can."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _of_machine(root: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def _of_groups(root: Path) -> Iterator[int]:
    """Bytes that the limit of each control group leaves, of both versions; files that it can drop are free."""
    top = root / "sys/fs/cgroup"
    names = ("memory.max", "memory.current", "inactive_file")
    first = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    for folder, (limit, used, droppable) in [*((one, names) for one in group_folders(root)), (top / "memory", first)]:
        with suppress(OSError, ValueError):  # no such file, or no limit, which is called max
            most, now = (int((folder / name).read_text(encoding="utf-8")) for name in (limit, used))
            yield max(0, most - now + _of_statistics(folder / "memory.stat", droppable))


def _of_statistics(file: Path, name: str) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    return 0
