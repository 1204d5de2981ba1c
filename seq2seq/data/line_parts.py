"""Lines of a text that may be without end, in parts, so that a line may be without end, too."""

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from seq2seq.errors import UserError

LONGEST = 4096  # characters of a part


class LinePart(NamedTuple):
    """A part of a line, which counts from 1, and whether the line ends with it."""

    line: int
    text: str
    ended: bool


def line_parts(chunks: Iterable[bytes], name: str) -> Iterator[LinePart]:
    """Parts of the lines of a UTF-8 text that comes in chunks: a line, or where it is long, as many words as fit.

    However the chunks are cut, the parts are the same. Raises UserError, with the text's name, where it is not UTF-8.
    """
    number, held = 1, ""
    for text in _texts(chunks, name):
        *lines, held = (held + text).split("\n")
        for line in lines:
            *parts, rest = _cut(line.removesuffix("\r"))
            yield from (LinePart(number, part, ended=False) for part in parts)
            yield LinePart(number, rest, ended=True)
            number += 1
        *parts, held = _cut(held)
        yield from (LinePart(number, part, ended=False) for part in parts)
    if held:
        yield LinePart(number, held.removesuffix("\r"), ended=True)


def _cut(line: str) -> Iterator[str]:
    """Parts of a line, all but the last as long as they may be and behind white space where there is any."""
    while len(line.removesuffix("\r")) > LONGEST:  # which may be of the line's end
        end = line.rfind(" ", 0, LONGEST) + 1 or LONGEST
        yield line[:end]
        line = line[end:]
    yield line


def _texts(chunks: Iterable[bytes], name: str) -> Iterator[str]:
    decoder, lines = codecs.getincrementaldecoder("utf-8-sig")(), 1
    try:
        for chunk in chunks:
            text = decoder.decode(chunk)
            lines += text.count("\n")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        number = lines + error.object[: error.start].count(b"\n")
        raise UserError(f"{name}, line {number} is not UTF-8: convert it, for example with iconv.") from None
