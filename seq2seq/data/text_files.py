"""Lines of UTF-8 text files, plain or packed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from seq2seq.data.packed_files import raw_lines
from seq2seq.errors import UserError
from seq2seq.whole_file import is_special

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/")  # of the web, as a path has it; a drive has one letter


class NoFileError(UserError):
    """A path at which there is nothing to read."""


@contextmanager
def told_as(option: str) -> Iterator[None]:
    """Tell a path at which there is nothing to read as the value of an option, for as long as the context is open."""
    try:
        yield
    except NoFileError as error:
        raise UserError(f"{option}={error}") from None


def check_readable(path: str | Path) -> None:
    """Check that there is something to read, which may be a pipe. Raises NoFileError if not."""
    if not str(path):
        raise NoFileError("'' is no path: give the path of a file.")
    path = Path(path)
    if path.is_dir():
        raise NoFileError(f"{path} is a folder: give the path of a file in it.")
    if not path.exists() and _ADDRESS.match(str(path)):
        address = str(path).replace(":/", "://", 1)  # as it was before it was a path
        raise NoFileError(f"{address} is an address, and files alone are read: fetch it first, and give its path.")
    if not path.exists() and set(str(path)) & set("*?[]"):
        raise NoFileError(f"{path} does not exist: give the path of one file, as patterns and lists are not read.")
    if not path.exists():
        raise NoFileError(f"{path} does not exist: give the path of a file (relative ones start at {Path.cwd()}).")


def seekable(path: str | Path) -> str | Path | BytesIO:
    """The path of a file; of a pipe, which is read but once and from its beginning on, all that comes out of it."""
    return BytesIO(Path(path).read_bytes()) if is_special(Path(path)) else path


def read_lines(path: str | Path) -> list[str]:
    """The lines of a file or pipe, split at newlines only. Raises UserError if it is missing, empty or not UTF-8."""
    return list(lines_of_file(path))


def lines_of_file(path: str | Path) -> Iterator[str]:
    """The lines of a file or pipe, one by one; see `read_lines`. What is wrong is told at the line that has it."""
    check_readable(path)
    return _lines(Path(path))


def _lines(path: Path) -> Iterator[str]:
    blank: list[str] | None = []  # those that a file begins with, as long as it may hold nothing else
    for number, raw in enumerate(_ended(raw_lines(path)), 1):
        line = _text(path, number, raw)
        if blank is not None:
            blank.append(line)
            if not line.strip():
                continue
            yield from blank
            blank = None
        else:
            yield line
    if blank is not None:
        raise UserError(f"The data file {path} is empty: it must hold at least one line.")


def _ended(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines; or where the only one has several carriage returns, what these cut it into, as on old Macs."""
    first = next(lines, b"")
    several = first.count(b"\r") > 1
    second = next(lines, b"") if several else b""  # not where a pipe would have to be waited for
    if several and not second:
        yield from first.removesuffix(b"\n").removesuffix(b"\r").split(b"\r")
    else:
        yield from (line for line in (first, second) if line)
    yield from lines


def _text(path: Path, number: int, raw: bytes) -> str:
    """The text of a line. Raises UserError where it is not UTF-8, or has NULs, as UTF-16 has."""
    try:
        line = raw.removesuffix(b"\n").decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r")
    except UnicodeDecodeError:
        raise UserError(f"{path}, line {number} is not UTF-8: convert the file, for example with iconv.") from None
    if "\0" in line:
        raise UserError(
            f"{path}, line {number} must hold text, but has a NUL at {line.index(chr(0))}: take it out, or if the file "
            "is UTF-16 without a mark, convert it, for example with iconv -f UTF-16LE -t UTF-8."
        )
    return line
