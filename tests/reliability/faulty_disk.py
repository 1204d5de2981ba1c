"""A folder whose disk fills up, or turns read-only, at a write: for tests that may not mount file systems."""

import builtins
import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_open = io.open
_mkdir = os.mkdir


class FaultyDisk:
    """Counts the writes to files of a folder, and fails all from the given one on; None fails none."""

    def __init__(self, folder: Path, fails_from: int | None, number: int = errno.ENOSPC) -> None:
        self.folder, self.fails_from, self.number, self.writes = folder, fails_from, number, 0

    def check(self, path: Any = None) -> None:
        """Count a write. Raises OSError where it fails, with the path if there is one, as the system does."""
        self.writes += 1
        if self.fails_from is not None and self.writes > self.fails_from:
            raise OSError(self.number, os.strerror(self.number), *([] if path is None else [str(path)]))

    def holds(self, path: Any) -> bool:
        """Tell whether a path is in the folder."""
        return isinstance(path, str | os.PathLike) and Path(path).absolute().is_relative_to(self.folder)

    def open(self, file: Any, mode: str = "r", buffering: int = -1, *given: Any, **named: Any) -> Any:
        """Open a file as Python does; what is written to one of the folder is counted as it leaves for the disk."""
        if not self.holds(file) or not set(mode) & set("wax+"):
            return _open(file, mode, buffering, *given, **named)
        if self.number == errno.EROFS:
            self.check(file)
        raw = _Counted(self, str(file), mode.replace("b", "").replace("t", ""))
        binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return binary
        names = ("encoding", "errors", "newline")
        text = dict(zip(names, given, strict=False)) | {name: named[name] for name in names if name in named}
        return io.TextIOWrapper(binary, **text)

    def mkdir(self, path: Any, *given: Any, **named: Any) -> None:
        """Make a folder as Python does; inside of ours that is a write."""
        if self.holds(path) and not Path(path).is_dir():
            self.check(path)
        _mkdir(path, *given, **named)


class _Counted(io.FileIO):
    def __init__(self, disk: FaultyDisk, path: str, mode: str) -> None:
        self.disk = disk
        super().__init__(path, mode)

    def write(self, data: Any) -> int:
        self.disk.check()
        return super().write(data)


@contextmanager
def failing(folder: Path, fails_from: int | None, number: int = errno.ENOSPC) -> Iterator[FaultyDisk]:
    """Put a folder on a disk that fails, for as long as the context is open."""
    disk = FaultyDisk(folder.absolute(), fails_from, number)
    io.open = builtins.open = disk.open
    os.mkdir = disk.mkdir
    try:
        yield disk
    finally:
        io.open = builtins.open = _open
        os.mkdir = _mkdir


class DiedError(BaseException):
    """The end of a process that is killed: nothing of it runs any more."""


class DyingDisk(FaultyDisk):
    """Counts all that a process does to a folder, names and removals among it, and ends the process before one."""

    def check(self, path: Any = None) -> None:
        """Count what is done. Raises DiedError from the one on that the process does not live to see."""
        self.writes += 1
        if self.fails_from is not None and self.writes > self.fails_from:
            raise DiedError

    def alive(self, function: Any) -> Any:
        """The function of the system, as long as the process lives."""

        def called(path: Any, *given: Any, **named: Any) -> Any:
            if self.holds(path):
                self.check()
            elif self.fails_from is not None and self.writes > self.fails_from:
                raise DiedError
            return function(path, *given, **named)

        return called


@contextmanager
def dying(folder: Path, before: int | None) -> Iterator[DyingDisk]:
    """Have this process killed, as far as a folder can tell, before a change to it; None: it lives."""
    disk = DyingDisk(folder.absolute(), before)
    names = ("unlink", "rmdir", "rename", "replace")
    kept = {name: getattr(os, name) for name in names}
    io.open = builtins.open = disk.open
    os.mkdir = disk.mkdir
    for name, function in kept.items():
        setattr(os, name, disk.alive(function))
    try:
        yield disk
    finally:
        io.open = builtins.open = _open
        os.mkdir = _mkdir
        for name, function in kept.items():
            setattr(os, name, function)
