"""Build a stream of translations from a config, without Lightning, datasets or torchmetrics."""

from omegaconf import DictConfig

from seq2seq.config.contract import check_options, read_options
from seq2seq.runs.translator import open_translator
from seq2seq.translation.line_stream import LineStream


def build_stream(config: DictConfig) -> LineStream:
    """The stream that translates lines as a config of `translate` describes."""
    options = read_options(config)
    check_options(LineStream, options)
    return LineStream(
        open_translator(options, lines=options["buffer"]),
        buffer=options["buffer"],
        input=options["input"],
        format=options["format"],
        n_best=options["n_best"],
        tag=options["tag"],
    )
