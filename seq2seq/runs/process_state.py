"""States of processes of this machine."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path


def state_of(pid: int) -> str:
    """The letter of a process's state: T where it is stopped, Z or nothing where it has ended."""
    path = Path(f"/proc/{pid}/stat")
    if path.parent.parent.joinpath("self").exists():
        with suppress(OSError, IndexError):
            return path.read_text(errors="replace").rpartition(")")[2].split()[0]
        return ""
    found = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()[:1]


def born(pid: int) -> str:
    """The boot and tick that a process began at, unlike others that had its number; nothing where that is unknown."""
    with suppress(OSError, IndexError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path(f'/proc/{pid}/stat').read_text(errors='replace').rpartition(')')[2].split()[19]}"
    return ""


def ends_by_memory() -> int:
    """The number of processes that the kernel has ended for want of memory."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def kill(pid: int) -> None:
    """End a process that does not end itself."""
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
