"""Files to write that options name."""

import errno
import os
from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.whole_file import behind_links, check_writable, is_special

_PICTURES = (".png", ".svg", ".pdf")


def new_file(option: str, path: str | Path) -> Path:
    """The path of an option's value, at which nothing is yet, or a pipe or device. Raises UserError if a file is."""
    path = writable_file(option, path)
    if path.exists() and not is_special(path):
        raise UserError(f"{option}={path} must be a new file, but is there: choose another, or remove it.")
    return path


def picture_file(option: str, path: str | Path) -> Path:
    """The path of an option's value, at which a picture is drawn after long work.

    Raises UserError, by the option, at an ending that is no picture's, or where it cannot be written.
    """
    if Path(path).suffix not in _PICTURES:
        raise UserError(f"{option} must end in {', '.join(_PICTURES)}, but is {path}.")
    return writable_file(option, path)


def writable_file(option: str, path: str | Path) -> Path:
    """The path of an option's value, for what is written after long work.

    Raises UserError, by the option, if it cannot be written.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        check_writable(behind_links(path))
    except OSError as error:
        raise UserError(f"{option}={path} cannot be written: {error.strerror}: choose another file.") from None
    return path
