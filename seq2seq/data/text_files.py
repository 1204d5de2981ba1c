"""Lines of UTF-8 text files, plain or gzipped."""

import gzip
import zlib
from pathlib import Path

from seq2seq.errors import UserError


def read_lines(path: str | Path) -> list[str]:
    """The lines of a file, split at newlines only. Raises UserError if it is missing, empty or not UTF-8."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"The data file {path} does not exist: check the path (relative ones start at {Path.cwd()}).")
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
