"""Streams of lines of text, as the command translates them."""

from omegaconf import DictConfig

from seq2seq.commands.translate import stream_and_series
from seq2seq.translation.line_stream import LineStream


def build_stream(config: DictConfig) -> LineStream:
    """The stream that translates lines as a config of `translate` describes."""
    return stream_and_series(config)[0]
