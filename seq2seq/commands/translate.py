"""Translate what comes, as a config says, without Lightning, datasets or torchmetrics."""

from collections.abc import Iterable

from omegaconf import DictConfig

from seq2seq.commands.translating.line_watch import LineWatch, build_watch
from seq2seq.commands.translating.series_input import corpus_in
from seq2seq.config.command_line import chunks_of_stdin, lines_of_stdin, write_lines, write_parts
from seq2seq.config.contract import check_options, read_options
from seq2seq.data.packed_files import text_chunks, text_lines
from seq2seq.data.series import Series
from seq2seq.errors import UserError
from seq2seq.runs.named_runs import load_decoding_runs
from seq2seq.runs.of_frames import refuse_frames
from seq2seq.runs.simultaneous import simultaneous_translator
from seq2seq.runs.translator import open_translator
from seq2seq.standard_streams import check_source
from seq2seq.translation.line_stream import LineStream
from seq2seq.translation.live_stream import LiveStream, LiveStreams


def translate(config: DictConfig) -> None:
    """Translate stdin to stdout: line i to line i, or if a config says `simultaneous`, while it comes.

    Of a `file` of series, line i answers series i.
    """
    check_source("file", config.file)
    if config.get("simultaneous") is None:
        stream, series = stream_and_series(config)
        try:
            write_lines(stream(text_lines(lines_of_stdin(), "stdin")) if series is None else stream.of_series(series))
        finally:
            if isinstance(stream.watch, LineWatch):
                stream.watch.finish()
    else:
        write_parts(build_live_stream(config)(text_chunks(chunks_of_stdin(), "stdin")))


def stream_and_series(config: DictConfig) -> tuple[LineStream, Iterable[Series] | None]:
    """The stream that translates as a config describes, and the series of its file; None where it reads lines."""
    options = read_options(config)
    check_options(LineStream, options)
    runs = load_decoding_runs(options)
    found = corpus_in(options, runs[0], {"input": "text", "tag": None, "reset": None}, "translate")
    translator = open_translator(options, lines=options["buffer"], runs=runs)
    stream = LineStream(
        translator,
        buffer=options["buffer"],
        input=options["input"],
        format=options["format"],
        n_best=options["n_best"],
        tag=options["tag"],
        watch=build_watch(options, runs, translator),
    )
    if found is None:
        return stream, None
    corpus, path = found
    return stream, corpus.series(path)


def build_live_stream(config: DictConfig) -> LiveStream | LiveStreams:
    """The stream that answers text while it comes. Raises UserError at options that need whole lines."""
    options = read_options(config)
    if options["input"] != options["format"] or options["format"] not in ("text", "json"):
        raise UserError(
            "input and format must both be text, or json for several streams, with simultaneous, but are "
            f"{options['input']} and {options['format']}."
        )
    if options["file"] is not None:
        raise UserError(
            "simultaneous must be none with a file of series, which is there whole: evaluate scores what is written "
            "while frames come."
        )
    plain = open_translator(options, lines=1)
    refuse_frames(
        plain.tokenizers, options["run"], "simultaneous", "score what is written while frames come by evaluate"
    )
    translator = simultaneous_translator(options, plain)
    return LiveStreams(translator) if options["input"] == "json" else LiveStream(translator)
