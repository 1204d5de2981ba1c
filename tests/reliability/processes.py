"""Scripts in processes of their own, that faults are put into and that are killed: forks of one that has imported."""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
_COMMANDS = sorted(path.stem for path in (ROOT / "seq2seq" / "commands").glob("[a-z]*.py"))
_PRELOADED = ["hydra", "seq2seq.config.command_line", *(f"seq2seq.commands.{name}" for name in _COMMANDS)]
Fault = Callable[[], None]  # called in the process, before its script runs


@dataclass(frozen=True)
class Ended:
    """How a process ended, what it said, and after how many seconds."""

    command: str
    code: int | None  # below 0 by a signal
    out: str
    err: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """What it said of its mistake: the lines on stderr, but for those of a training that goes on."""
        return [line for line in self.err.splitlines() if line.startswith(("error:", "Traceback", "Exception"))]


class Started:
    """A script that runs: started(words, folder) as if typed there, its streams files of a folder."""

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        streams: Path,
        *,
        stdin: str = os.devnull,
        stdout: str | None = None,
        stderr: str | None = None,
        fault: Fault | None = None,
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        streams.mkdir(parents=True, exist_ok=True)
        self.command, self.began = " ".join(words), time.monotonic()
        self.paths = [stdin, stdout or str(streams / "stdout"), stderr or str(streams / "stderr")]
        self._begun = streams / "begun"
        self._begun.unlink(missing_ok=True)
        for path in self.paths[1:]:
            if not path.startswith("/dev/"):
                Path(path).write_bytes(b"")
        arguments = (list(words), str(folder), [*self.paths, str(self._begun)], fault)
        self.process: Any = context.Process(target=_become, args=arguments, daemon=True)
        self.process.start()

    def wait_for_begin(self, seconds: float = 120) -> None:
        """Wait until the script runs: what comes before is not ours."""
        until = time.monotonic() + seconds
        while not self._begun.exists() and self.process.exitcode is None and time.monotonic() < until:
            time.sleep(0.02)
        self.began = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.exitcode is None

    def send(self, number: int) -> bool:
        """Send a signal; False where the process is gone."""
        if self.process.exitcode is not None:
            return False
        os.kill(self.process.pid, number)
        return True

    def wait(self, seconds: float) -> Ended | None:
        """How it ended; None where it has not by then."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            return None
        out, err = (
            "" if path.startswith("/dev/") else Path(path).read_text(encoding="utf-8", errors="replace")
            for path in self.paths[1:]
        )
        return Ended(self.command, self.process.exitcode, out, err, time.monotonic() - self.began)

    def end(self, seconds: float) -> Ended:
        """How it ended; it is killed where it has not by then, and has no exit code."""
        if (ended := self.wait(seconds)) is not None:
            return ended
        self.process.kill()
        ended = self.wait(30)
        assert ended is not None
        return Ended(ended.command, None, ended.out, ended.err, ended.seconds)


def _become(words: list[str], folder: str, paths: list[str], fault: Fault | None) -> None:
    os.chdir(folder)
    for number, path in enumerate(paths[1:3], 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(paths[0], os.O_RDONLY), 0)
    sys.stdin = open(0, encoding="utf-8")  # multiprocessing has closed it  # noqa: SIM115
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python starts
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background would ignore it
    torch.set_num_threads(1)
    script = ROOT / "scripts" / f"{words[0]}.py"
    sys.argv = [str(script), *words[1:]]
    sys.path.insert(0, str(script.parent))
    if fault is not None:
        fault()
    Path(paths[3]).touch()
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  multiprocessing closes it


def mounted(place: Path, size: str) -> bool:
    """Mount a file system of a size in memory; False where the tests may not."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    return sys.platform == "linux" and subprocess.run(command, capture_output=True, check=False).returncode == 0


def remounted(place: Path, option: str) -> bool:
    """Make what is mounted at a place read-only (ro) or writable (rw) again."""
    command = ["mount", "-o", f"remount,{option}", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def unmounted(place: Path) -> None:
    """Take a file system away again."""
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)
