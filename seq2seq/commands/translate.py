"""Translate what comes, as a config says, without Lightning, datasets or torchmetrics."""

from omegaconf import DictConfig

from seq2seq.commands.watching import LineWatch, build_watch
from seq2seq.config.command_line import chunks_of_stdin, lines_of_stdin, write_lines, write_parts
from seq2seq.config.contract import check_options, read_options
from seq2seq.errors import UserError
from seq2seq.runs.named_runs import load_decoding_runs
from seq2seq.runs.of_frames import refuse_frames
from seq2seq.runs.simultaneous import simultaneous_translator
from seq2seq.runs.translator import open_translator
from seq2seq.translation.line_stream import LineStream
from seq2seq.translation.live_stream import LiveStream, LiveStreams


def translate(config: DictConfig) -> None:
    """Translate stdin to stdout: line i to line i, or if a config says `simultaneous`, while it comes."""
    if config.get("simultaneous") is None:
        stream = build_stream(config)
        try:
            write_lines(stream(lines_of_stdin()))
        finally:
            if isinstance(stream.watch, LineWatch):
                stream.watch.finish()
    else:
        write_parts(build_live_stream(config)(chunks_of_stdin()))


def build_stream(config: DictConfig) -> LineStream:
    """The stream that translates lines as a config of `translate` describes."""
    options = read_options(config)
    check_options(LineStream, options)
    runs = load_decoding_runs(options)
    translator = open_translator(options, lines=options["buffer"], runs=runs)
    refuse_frames(translator.tokenizers, options["run"], "translate")
    return LineStream(
        translator,
        buffer=options["buffer"],
        input=options["input"],
        format=options["format"],
        n_best=options["n_best"],
        tag=options["tag"],
        watch=build_watch(options, runs, translator),
    )


def build_live_stream(config: DictConfig) -> LiveStream | LiveStreams:
    """The stream that answers text while it comes. Raises UserError at options that need whole lines."""
    options = read_options(config)
    if options["input"] != options["format"] or options["format"] not in ("text", "json"):
        raise UserError(
            "input and format must both be text, or json for several streams, with simultaneous, but are "
            f"{options['input']} and {options['format']}."
        )
    plain = open_translator(options, lines=1)
    refuse_frames(plain.tokenizers, options["run"], "translate")
    translator = simultaneous_translator(options, plain)
    return LiveStreams(translator) if options["input"] == "json" else LiveStream(translator)
