"""Files that are whole on disk, or not there."""

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_STEM = 100  # bytes of a name that the part of it is called by


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Write a file beside its place, flush it, and put it there; until then the file of before is.

    A pipe or a device is written to as it is. Raises OSError that names the file where it cannot be written.
    """
    try:
        if is_special(path):
            path.write_bytes(data)
        else:
            _write_beside(path, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write_beside(path: Path, data: bytes | memoryview) -> None:
    part = part_of(path, ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        flush_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def is_special(path: Path) -> bool:
    """Tell whether a path is that of a pipe, a device or a socket, which nothing can take the place of."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def behind_links(path: Path) -> Path:
    """Path that a link leads to, there or not, written so that the link stays; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() and not is_special(path) else path


def part_of(path: Path, ending: str) -> Path:
    """A path beside another at which one writer alone writes it: hidden, and never longer than names may be.

    Threads have one number of a process, and so can processes of two machines that share a disk: another part of the
    name tells them apart.
    """
    stem = path.name.encode(errors="surrogateescape")[:_STEM].decode(errors="ignore").replace(".", "_")
    return path.with_name(f".{stem}.{os.getpid()}.{secrets.token_hex(4)}{ending}")


def check_writable(path: Path) -> None:
    """Check that a file can be put at a path, which is left as it is: for what is written after long work.

    Raises OSError that names the file where it cannot.
    """
    if is_special(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return
    folder = next(parent for parent in path.absolute().parents if parent.exists())  # the root does
    probe = part_of(folder / path.name, ".part")
    try:
        with probe.open("wb"):
            pass
        probe.unlink()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def flush_folder(folder: Path) -> None:
    """Have the folder itself on disk, with the name that a file has got in it, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_parts(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left in a folder."""
    for part in folder.glob(".*.*.part"):
        with suppress(OSError):
            part.unlink()
