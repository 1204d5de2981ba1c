"""Draw pictures and write a report of how a run's encoder reads a long stream."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.commands.interpreting.alarms import AlarmMark, read_alarms
from seq2seq.commands.interpreting.report_folder import check_formats, report_folder, write_pages
from seq2seq.config.command_line import chunks_of_stdin
from seq2seq.config.contract import check_counts
from seq2seq.config.job import given_overrides
from seq2seq.data.line_parts import LinePart, line_parts
from seq2seq.data.packed_files import text_chunks
from seq2seq.data.text_files import check_readable, told_as
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.errors import UserError, needed_by
from seq2seq.interpretation.stream_reader import StreamReader
from seq2seq.interpretation.stream_report import check_finite, stream_figures, stream_report
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.of_frames import refuse_frames
from seq2seq.runs.sourceless import refuse_language_model
from seq2seq.standard_streams import check_source
from seq2seq.symbols import EOS

logger = logging.getLogger(__name__)

# Options of texts and of streams alone, by their defaults.
OF_TEXTS = {"text": None, "frames": None, "target": None, "probe": None, "score": "log_probability", "steps": 32} | {
    "max_source_tokens": 256
}
OF_STREAMS = {"renew": "line", "alarms": None}
_TOLD = 100_000  # tokens from one message to the next


def interpret_stream(options: Mapping[str, Any]) -> list[Path]:
    """Write the report and the pictures of a stream and return their paths, the report first.

    Raises UserError before anything is written.
    """
    _check(options)
    refuse_search("stream", given_overrides())
    given = str(options["stream"])
    check_source("stream", None if given == "-" else given)
    folder = report_folder(options, "stream" if given == "-" else Path(given).stem)
    run = load_runs(options)[0]
    refuse_language_model(run, options["run"], "interpret")
    refuse_frames(run.tokenizers, options["run"], "stream", "give frames=FILE")
    alarms = [] if options["alarms"] is None else read_alarms(str(options["alarms"]))
    name = "stdin" if given == "-" else Path(given).name
    chunks = chunks_of_stdin() if given == "-" else _chunks(given)
    with needed_by("stream"):
        reader = StreamReader(run.model.encoder)
    feeder = LineFeeder(reader, run.tokenizers.source, options["renew"])
    read_stream(feeder, line_parts(text_chunks(chunks, name), name), alarms, options["units"])
    if reader.tokens == 0:
        raise UserError(f"stream must have at least one token, but {name} has none: give another.")
    check_finite(reader)
    figures = stream_figures(reader, title=name)
    page = stream_report(reader, figures, title=name, run=str(options["run"]), units=options["units"])
    return write_pages(folder, {"report.html": page}, figures, options["formats"])


def refuse_search(beside: str, given: Iterable[str]) -> None:
    """Raise UserError at an override, or a keyword, of a search, which takes no place beside an option."""
    for text in given:
        if text.lstrip("+~").startswith("decoding"):
            raise UserError(
                f"{text} has no effect beside {beside}, with which nothing is searched for: leave one of them out."
            )


class LineFeeder:
    """Feeds lines to a reader, each with the sign of its end, and renews its state as `renew` says.

    That is at the end of each line, or behind every so many tokens, or never: line, a number, none. A line without a
    token is none.
    """

    def __init__(self, reader: StreamReader, tokenizer: Tokenizer, renew: str | int) -> None:
        self.reader = reader
        self.tokenizer = tokenizer
        self.renew = renew
        self._within = False  # a line whose first tokens were read

    def feed(self, part: LinePart) -> None:
        """Have a part of a line read."""
        (ids,), pieces = self.tokenizer.encode([part.text]), self.tokenizer.surface(part.text)
        self._within = self._within or bool(ids)
        if part.ended and self._within:
            ids, pieces = [*ids, EOS], [*pieces, *self.tokenizer.pieces([EOS])]
        self._read(ids, pieces)
        if part.ended:
            self._within = False
            if self.renew == "line":
                self.reader.reset()

    def _read(self, ids: Sequence[int], pieces: Sequence[str]) -> None:
        while ids:
            count = len(ids)
            if isinstance(self.renew, int):
                count = self.renew - self.reader.since_reset
            for _ in self.reader.read(ids[:count], pieces[:count]):
                pass
            if self.reader.since_reset == self.renew:
                self.reader.reset()
            ids, pieces = ids[count:], pieces[count:]


def read_stream(feeder: LineFeeder, parts: Iterable[LinePart], alarms: Sequence[AlarmMark], units: int) -> int:
    """The number of lines of a stream that was read to its end, with a mark of so many units behind each alarm's line.

    Raises UserError where an alarm is of a later line.
    """
    left, told, line, reader = deque(alarms), 0, 0, feeder.reader
    with reader.reading():
        for part in parts:
            feeder.feed(part)
            line = part.line
            while part.ended and left and left[0].line == line:
                reader.mark(left.popleft().label, units)
            if reader.tokens >= told + _TOLD:
                told = reader.tokens
                logger.info("%s tokens were read", f"{told:,}")
        reader.end()
    if left:
        raise UserError(
            f"alarms must be of lines of the stream, which has {line:,}, but one is of line {left[0].line:,}: give "
            "those of this stream."
        )
    return line


def _check(options: Mapping[str, Any]) -> None:
    """Raise UserError at an option that is of no use for reading a stream."""
    check_counts(options, units=1)
    check_formats(options["formats"])
    for name in ("run", "stream"):
        if isinstance(options[name], list | dict) or not str(options[name] or "").strip():
            raise UserError(f"{name} must be one {'run' if name == 'run' else 'file, or -'}, but is {options[name]!r}.")
    for name, default in OF_TEXTS.items():
        if options[name] != default:
            raise UserError(f"{name} is of one source, and a stream has none of it: leave {name} out, or stream.")
    renew = options["renew"]
    if renew not in ("line", "none") and (type(renew) is not int or renew < 1):
        raise UserError(f"renew must be line, none, or a number of tokens of at least 1, but is {renew!r}.")
    if options["alarms"] is not None and isinstance(options["alarms"], list | dict):
        raise UserError(f"alarms must be one file, but is {options['alarms']!r}.")


def _chunks(given: str) -> Iterator[bytes]:
    """Bytes of a file or pipe. Raises UserError if there is nothing to read, before the first is asked for."""
    with told_as("stream"):
        check_readable(Path(given))
    return _read_chunks(Path(given))


def _read_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(65536), b"")
