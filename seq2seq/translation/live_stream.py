"""Streams of text that is answered while it comes: one, line by line, or several side by side."""

import codecs
import json
from collections.abc import Iterable, Iterator

from seq2seq.data.text import check_whole
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.translation.simultaneous import SimultaneousTranslator, TextSession

_KEYS = {"stream", "text", "end"}


class LiveStream:
    """Answers each line while it is read, as soon as words of its answer are whole."""

    def __init__(self, translator: SimultaneousTranslator) -> None:
        self.translator = translator

    def __call__(self, chunks: Iterable[bytes]) -> Iterator[str]:
        """Text to write at once; a line ends where a line of the input does. Bytes that are not UTF-8 are replaced.

        Raises UserError where the input ends in the midst of a character, after all before it is answered.
        """
        decoder, number, session = codecs.getincrementaldecoder("utf-8")("replace"), 1, None
        held = ""  # a \r, which belongs to a line's end if a newline follows
        for chunk in chunks:
            *lines, rest = (held + decoder.decode(chunk)).split("\n")
            for line in lines:
                session = session or self.translator.open(keeps=False)
                yield session.feed(line.removesuffix("\r")) + session.end() + "\n"
                number, session = number + 1, None
            held = "\r" if rest.endswith("\r") else ""
            if rest := rest.removesuffix("\r"):
                session = session or self.translator.open(keeps=False)
                yield session.feed(rest)
        if session is not None or held:
            session = session or self.translator.open(keeps=False)
            yield session.feed(held) + session.end() + "\n"
        if decoder.getstate()[0]:
            raise UserError(
                f"line {number} must end with a whole character, but the input ended in the midst of one in UTF-8: "
                "its last bytes were left out."
            )


class LiveStreams:
    """Answers several texts side by side: JSON lines in, {"stream": NAME, "text": ..., "end": true at the last}.

    Each line out is of the same form, and holds what is said of one stream.
    """

    def __init__(self, translator: SimultaneousTranslator) -> None:
        self.translator = translator
        self.sessions: dict[str, TextSession] = {}

    def __call__(self, chunks: Iterable[bytes]) -> Iterator[str]:
        """Lines to write at once.

        Raises UserError at a line that is no such object; streams that never ended are ended first, in their order.
        """
        mistake = None
        for number, line in enumerate(_lines(chunks), 1):
            try:
                if line.strip():
                    yield from self._answer(line, number)
            except UserError as error:
                mistake = error
                break
        for name in list(self.sessions):
            yield from self._say(name, "", end=True)
        if mistake is not None:
            raise mistake

    def _answer(self, line: bytes, number: int) -> Iterator[str]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"line {number} must be a JSON object, but cannot be read: {error}.") from None
        if not isinstance(found, dict) or "stream" not in found or not found.keys() <= _KEYS:
            raise UserError(
                f"line {number} must be a JSON object with stream, and text and end if wanted, but is {line[:80]!r}."
            )
        name, text, end = found["stream"], found.get("text", ""), found.get("end", False)
        if not isinstance(name, str) or not isinstance(text, str) or not isinstance(end, bool):
            raise UserError(f"line {number}: stream and text must be texts, and end true or false.")
        for side in (name, text):
            check_whole(side, f"line {number}")
        yield from self._say(name, text, end=end)

    def _say(self, name: str, text: str, *, end: bool) -> Iterator[str]:
        if name not in self.sessions:
            self.sessions[name] = self.translator.open(keeps=False)
        session = self.sessions[name]
        said = session.feed(text)
        if end:
            said += session.end()
            del self.sessions[name]
        if said or end:
            yield strict_json({"stream": name, "text": said, "end": end}, ensure_ascii=False) + "\n"


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of bytes that come in chunks."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
