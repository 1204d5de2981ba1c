"""Pairs that come line by line, for as long as they come; a line that is none is left out."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from seq2seq.config.command_line import lines_of_stdin
from seq2seq.data.encoding import encoded
from seq2seq.data.examples import Example
from seq2seq.data.packed_files import raw_lines, text_lines
from seq2seq.data.pair_lines import READERS
from seq2seq.data.text import BYTE_ORDER_MARK
from seq2seq.data.text_files import check_readable, told_as
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)
_AUTO = "auto"
_TOLD = 10  # lines that are no pairs


class PairStream:
    """Examples of the lines of a file, a pipe or, at `-`, stdin, in the tokenizers' form of text.

    A line that is no pair, and a pair without a token on a side or with over `max_length`, is left out, which `counts`
    tells; of the former the first few are logged. Raises UserError at an unknown `input`, and with nothing to read.
    """

    def __init__(self, path: str, input: str, tokenizers: Tokenizers, *, max_length: int) -> None:
        if input not in (_AUTO, *READERS):
            raise UserError(f"input must be {_AUTO}, {' or '.join(READERS)}, but is {input!r}.")
        if path != "-":
            with told_as("in"):
                check_readable(Path(path))
        self.path, self.tokenizers, self.max_length = path, tokenizers, max_length
        self._read = READERS[_kind(path) if input == _AUTO else input]
        self.counts = Counter(lines=0, no_pairs=0, empty=0, too_long=0)

    def __iter__(self) -> Iterator[Example]:
        name, lines = ("stdin", lines_of_stdin()) if self.path == "-" else (self.path, raw_lines(Path(self.path)))
        for number, line in enumerate(text_lines(lines, name), 1):
            if (example := self._example(line, number)) is not None:
                yield example

    def _example(self, line: bytes, number: int) -> Example | None:
        """The example of a line; None of a blank one, or one that is to be left out."""
        form = self.tokenizers.source.form
        try:
            text = line.decode().removeprefix(BYTE_ORDER_MARK if number == 1 else "").rstrip("\r\n")
            if not text.strip():
                return None
            self.counts["lines"] += 1
            if "\0" in text:
                raise UserError(f"line {number} must hold text, but has a NUL at {text.index(chr(0))}, as UTF-16 has.")
            source, target = map(form, self._read(text, number))
        except UnicodeDecodeError:
            self.counts["lines"] += 1
            self._leave_out(f"line {number} is not UTF-8.")
            return None
        except UserError as error:
            self._leave_out(str(error))
            return None
        found = encoded([example := Example(source, (target,))], self.tokenizers, self.max_length)
        self.counts["empty"] += found.empty
        self.counts["too_long"] += found.long
        return example if len(found.pairs) else None

    def _leave_out(self, mistake: str) -> None:
        self.counts["no_pairs"] += 1
        if self.counts["no_pairs"] <= _TOLD:
            last = "; others like it are counted, and told no more" if self.counts["no_pairs"] == _TOLD else ""
            logger.warning("%s It is left out%s", mistake, last)


def _kind(path: str) -> str:
    """The kind of lines that a file of this name has."""
    return "json" if {".json", ".jsonl"} & set(Path(path).suffixes[-2:]) else "tsv"
