"""Standard streams as a shell has made them: whether they wait, can be read or written, and are two files."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from seq2seq.errors import UserError

try:
    import fcntl
except ImportError:  # of systems without it
    fcntl = None  # type: ignore[assignment]

_LAST = 2  # the place of stderr


@contextmanager
def waiting_streams() -> Iterator[None]:
    """Have stdin, stdout and stderr wait for their other ends, for as long as the context is open.

    Who starts a process may have them answer at once that there is nothing yet, which would be taken for the end. That
    is a trait of the open file, which others hold, too: it is given back as it was.
    """
    with ExitStack() as stack:
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            if (handle := _handle(stream)) is not None:
                with suppress(OSError, AttributeError):  # of nothing that could wait, and of systems where all do
                    _have_wait(handle, stack)
        yield


def _have_wait(handle: int, stack: ExitStack) -> None:
    if os.get_blocking(handle):
        return
    kept = os.dup(handle)  # the stream may be closed, or sent elsewhere, before the end
    stack.callback(os.close, kept)
    os.set_blocking(kept, True)
    stack.callback(os.set_blocking, kept, False)


def fill_closed() -> None:
    """Have nothing at all in the places of streams that are closed, for this process and those that it starts.

    The next file that is opened would get such a place, and take in what libraries write to stderr.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= _LAST:
        os.set_inheritable(handle, True)
    os.close(handle)


def check_input() -> None:
    """Check that lines can be read from stdin. Raises UserError if it is closed, for writing, or the file of stdout."""
    if sys.stdin is None:
        raise UserError("stdin is closed: give lines with < FILE, or by a pipe.")
    handle = _handle(sys.stdin)
    if _only(handle, "O_WRONLY"):
        raise UserError("stdin is open for writing only: give lines with < FILE, or by a pipe.")
    if handle is not None and is_output(handle):
        raise UserError(
            "stdin and stdout must be two files, but are one, which would be read while it is written: write to "
            "another with > FILE."
        )


def check_output() -> None:
    """Check that lines can be written to stdout. Raises UserError if it is closed, or for reading."""
    if sys.stdout is None:
        raise UserError("stdout is closed: leave it open, or write it to a file with > FILE.")
    if _only(_handle(sys.stdout), "O_RDONLY"):
        raise UserError("stdout is open for reading only: leave it as it is, or write it to a file with > FILE.")


def check_source(option: str, path: str | None) -> None:
    """Check that lines can be read: of what an option names, see `check_no_output`, or of stdin where it is None."""
    if path is None:
        check_input()
    else:
        check_no_output(option, path)


def check_no_output(option: str, path: str | Path) -> None:
    """Check that what an option names is not the file of stdout. Raises UserError, with the option, if it is."""
    if is_output(Path(path)):
        raise UserError(f"{option}={path} is what stdout is written to: write to another file.")


def is_output(file: int | Path) -> bool:
    """Tell whether a file on disk, by its handle or path, is what stdout is written to."""
    handle = _handle(sys.stdout)
    if handle is None:
        return False
    try:
        one, other = os.stat(file), os.fstat(handle)
    except OSError:
        return False
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)


def _handle(stream: Any) -> int | None:
    """The handle of a stream; None of one that is closed, or of Python alone."""
    try:
        return int(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return None


def _only(handle: int | None, mode: str) -> bool:
    """Tell whether a handle was opened in a mode that is for one direction alone."""
    if handle is None or fcntl is None:
        return False
    try:
        return fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == getattr(os, mode)
    except OSError:
        return False
