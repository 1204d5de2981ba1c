"""Folders that are whole on disk, or not there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.folder_lock import hold, release
from seq2seq.whole_file import check_writable, flush_folder, part_of

_HALF = ".half"


@contextmanager
def whole_folder(folder: Path, last: str = "") -> Iterator[Path]:
    """A folder to write into, which gets the name of the new or empty one that is asked for once the context ends.

    Until then that has nothing in it, and after an error neither. An empty folder that is there may be a mount, or
    where somebody is, and stays: what is written moves into it, `last` behind all else, without which it is nothing.
    Raises UserError where it has got something in it meanwhile, and OSError that names it where it cannot be written.
    """
    place = Path(os.path.realpath(folder))
    there = place.is_dir()
    half = _made(place / "new" if there else place)
    try:
        yield half
        flush_folder(half)
        _refuse_taken(folder, half)
        _move_into(place, half, last) if there else half.rename(place)
        flush_folder(place if there else place.parent)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    finally:
        release(half)


def is_free(folder: Path) -> bool:
    """Tell whether a folder is not there, or holds nothing but what a process that was killed has left unfinished."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(_is_half(path) for path in folder.iterdir())


def check_room(option: str, folder: Path) -> None:
    """Check that a new folder can be made and written into. Raises UserError, by the option that names it, if not."""
    try:
        check_writable(Path(os.path.realpath(folder)) / "new")
    except OSError as error:
        raise UserError(f"{option}={folder} cannot be written: {error.strerror}: choose another folder.") from None


def _made(place: Path) -> Path:
    """A folder beside a place that is this writer's alone, and held."""
    _remove_abandoned(part_of(place, _HALF))
    while True:
        half = part_of(place, _HALF)
        half.mkdir(parents=True)
        if hold(half) is not False and half.is_dir():
            return half
        release(half)  # before it was held, another process took it for one that is abandoned


def _is_half(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix == _HALF


def _refuse_taken(folder: Path, half: Path) -> None:
    if not is_free(folder):
        raise UserError(f"{folder} was new or empty, but another process has written into it: choose another folder.")


def _move_into(place: Path, half: Path, last: str) -> None:
    for path in sorted(half.iterdir(), key=lambda path: path.name == last):
        path.rename(place / path.name)
        flush_folder(place)
    half.rmdir()


def _remove_abandoned(half: Path) -> None:
    """Remove what killed processes have left unfinished of the same folder; they can have had this one's number."""
    stem = half.name.split(".")[1]
    found = half.parent.iterdir() if half.parent.is_dir() else ()
    for path in [path for path in found if _is_half(path) and path.name.split(".")[1] == stem]:
        if hold(path):
            shutil.rmtree(path, ignore_errors=True)
            release(path)
