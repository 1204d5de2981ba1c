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
    return min(
        (found for found in (_told(root / "proc/meminfo", "MemAvailable:"), *_of_groups(root)) if found is not None),
        default=None,
    )


def held_bytes(root: Path = ROOT) -> int:
    """The bytes that this process holds alone, and another one like it would, too; 0 where the system does not tell."""
    return _told(root / "proc/self/status", "RssAnon:") or 0


def give_back() -> None:
    """Give memory that was freed back to the system, where the C library keeps it and can be told to: glibc's can."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _of_groups(root: Path) -> Iterator[int]:
    """Bytes that the limit of each control group leaves, of both versions; files that it can drop are free."""
    top = root / "sys/fs/cgroup"
    names = ("memory.max", "memory.current", "inactive_file")
    first = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    for folder, (limit, used, droppable) in [*((one, names) for one in group_folders(root)), (top / "memory", first)]:
        with suppress(OSError, ValueError):  # no such file, or no limit, which is called max
            most, now = (int((folder / name).read_text(encoding="utf-8")) for name in (limit, used))
            yield max(0, most - now + (_told(folder / "memory.stat", droppable) or 0))


def _told(file: Path, name: str) -> int | None:
    """The bytes that a file of Linux tells under a name; None where it does not."""
    with suppress(OSError, ValueError, IndexError):
        for words in map(str.split, file.read_text(encoding="utf-8").splitlines()):
            if words[:1] == [name]:
                return int(words[1]) * (1024 if words[2:] == ["kB"] else 1)
    return None
