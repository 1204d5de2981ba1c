"""Folders that are held by one run at a time, for as long as its process lives: no file tells of it, and none stays."""

import os
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # of systems without it
    fcntl = None  # type: ignore[assignment]

_held: dict[Path, int] = {}  # handles of this process


def hold(folder: Path) -> bool | None:
    """Hold a folder and return True; False where a process, this one too, does; None where that cannot be known."""
    place = folder.resolve()
    if place in _held:
        return False
    if fcntl is None:
        return None
    try:
        handle = os.open(place, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        return False if isinstance(error, BlockingIOError) else None
    _held[place] = handle
    return True


def is_held_here(folder: Path) -> bool:
    """Tell whether this process holds a folder."""
    return folder.resolve() in _held


def release(folder: Path) -> None:
    """Let others hold a folder; nothing where this process does not."""
    if (handle := _held.pop(folder.resolve(), None)) is not None:
        with suppress(OSError):
            os.close(handle)
