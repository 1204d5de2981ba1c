"""Files that are packed, or hold no text, told by the bytes that they begin with, whatever they are called."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from io import BufferedReader
from pathlib import Path
from typing import Any

from seq2seq.errors import UserError

_LOOKED_AT = 16  # bytes
_PACKED: dict[bytes, tuple[str, Any]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ\0": ("xz", lzma.open),
}
_UNPACKERS = {"gzip": "zcat", "bzip2": "bzcat", "xz": "xzcat"}  # as a shell has them
_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # of bzip2, behind its name and level; text may begin with BZh
_UNPACK = "unpack it first, or pack it by gzip, bzip2 or xz"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as CSV or as text with tabs",
    b"\xd0\xcf\x11\xe0": "a document of an office program: save it as CSV or as text with tabs",
    b"\x28\xb5\x2f\xfd": f"packed by zstd: {_UNPACK}",
    b"\x04\x22\x4d\x18": f"packed by lz4: {_UNPACK}",
    b"7z\xbc\xaf": f"a 7z archive: {_UNPACK}",
    b"Rar!\x1a": f"a RAR archive: {_UNPACK}",
    b"PAR1\x15": "Parquet: read it by data=parquet",
    b"SQLite format 3\0": "a database: write its rows as text with tabs",
    b"\x93NUMPY": "an array of NumPy: write it as text with tabs",
    b"%PDF-": "a PDF: give its text",
    b"\x89PNG": "a picture: give text",
    b"\xff\xd8\xff": "a picture: give text",
    b"\x7fELF": "a program: give text",
    b"\xff\xfe\0\0": "UTF-32: convert it to UTF-8, for example with iconv -f UTF-32 -t UTF-8",
    b"\xff\xfe": "UTF-16: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8",
}

_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16, which a line of other bytes may begin with, too


def raw_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file or pipe as bytes, as they come, unpacked where gzip, bzip2 or xz has packed them.

    Raises UserError at what cannot be unpacked, and at what is no text of UTF-8 by its first bytes.
    """
    with path.open("rb") as file:
        beginning = file.peek(_LOOKED_AT)[:_LOOKED_AT]
        if (found := _packing(beginning)) is None:
            _refuse_foreign(path, beginning)
            yield from file
        else:
            yield from _unpacked(path, file, *found)


def text_lines(lines: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The lines of a stream as they come, whatever bytes they hold.

    Raises UserError, with the stream's name, where the first one tells that all of it is packed or no text, or where
    the second one does that both are of UTF-16.
    """
    first = b""
    for number, line in enumerate(lines, 1):
        if number == 1:
            first = line
            _refuse_packed(name, first)
        elif number == 2 and first.startswith(_MARKS) and line.startswith(b"\0"):  # the other half of a newline
            _refuse_foreign(name, first)
        yield line


def text_chunks(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The chunks of a stream as they come. Raises UserError where its first line does in `text_lines`."""
    for number, chunk in enumerate(chunks):
        if number == 0:
            _refuse_packed(name, chunk.partition(b"\n")[0])
        yield chunk


def _refuse_packed(name: str, first: bytes) -> None:
    """Raise UserError at a first line that begins as what is packed does, and as no text does."""
    if (packing := _packing(first)) is not None:
        kind = packing[0]
        raise UserError(f"{name} must hold text, but is packed by {kind}: unpack it first, as {_UNPACKERS[kind]} does.")
    if not first.startswith(_MARKS) or b"\0" in first:
        _refuse_foreign(name, first)


def _packing(beginning: bytes) -> tuple[str, Any] | None:
    """The name of what has packed a file, and what opens it; None where nothing has."""
    first = next((mark for mark in _PACKED if beginning.startswith(mark)), None)
    if first is None or (first == b"BZh" and not beginning[4:].startswith(_BLOCKS)):
        return None
    return _PACKED[first]


def _unpacked(path: Path, file: BufferedReader, kind: str, opens: Any) -> Iterator[bytes]:
    try:
        with closing(opens(file, "rb")) as packed:
            beginning = packed.peek(_LOOKED_AT)[:_LOOKED_AT]
            _refuse_foreign(path, beginning)
            yield from packed
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{path} cannot be unpacked as {kind}: {error}: copy or pack it anew.") from None


def _refuse_foreign(name: object, beginning: bytes) -> None:
    if kind := next((kind for mark, kind in _FOREIGN.items() if beginning.startswith(mark)), None):
        raise UserError(f"{name} must hold text, but is {kind}.")
