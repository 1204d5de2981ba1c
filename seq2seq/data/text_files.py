"""Lines of UTF-8 text files, plain or gzipped."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq.errors import UserError


class NoFileError(UserError):
    """A path at which there is nothing to read."""


@contextmanager
def told_as(option: str) -> Iterator[None]:
    """Tell a path at which there is nothing to read as the value of an option, for as long as the context is open."""
    try:
        yield
    except NoFileError as error:
        raise UserError(f"{option}={error}") from None


def check_readable(path: Path) -> None:
    """Check that there is something to read, which may be a pipe. Raises NoFileError if not."""
    if path.is_dir():
        raise NoFileError(f"{path} is a folder: give the path of a file in it.")
    if not path.exists():
        raise NoFileError(f"{path} does not exist: give the path of a file (relative ones start at {Path.cwd()}).")


def read_lines(path: str | Path) -> list[str]:
    """The lines of a file or pipe, split at newlines only. Raises UserError if it is missing, empty or not UTF-8."""
    if not str(path):
        raise NoFileError("'' is no path: give the path of a file.")
    path = Path(path)
    check_readable(path)
    raw = _unpack(path) if path.suffix == ".gz" else path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line} is not UTF-8: convert the file, for example with iconv.") from None
    if not text.strip():
        raise UserError(f"The data file {path} is empty: it must hold at least one line.")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _unpack(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be unpacked as gzip: {error}") from None
