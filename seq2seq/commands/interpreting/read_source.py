"""The source that is looked into: a text as ids, or a series as frames."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from seq2seq.data.frame_reader import FrameReader, source_sequences
from seq2seq.data.series import Series
from seq2seq.errors import UserError
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.series_file import series_of_file
from seq2seq.shapes import Source
from seq2seq.symbols import EOS


class ReadSource(NamedTuple):
    """A source as a model reads it, `1 source ...`, what a person calls its places, and how it is called itself."""

    given: str  # a text, or a Series
    source: Source
    pieces: list[str]
    name: str

    @property
    def frames(self) -> bool:
        """Tell whether it is a series."""
        return isinstance(self.given, Series)


def read_source(run: LoadedRun, options: Mapping[str, Any], given: Any = None) -> ReadSource:
    """The source that options name, or that is given. Raises UserError where it is not of what the run reads."""
    reads_frames = isinstance(run.tokenizers.source, FrameReader)
    if given is None:
        _check_kind(options, frames=reads_frames)
        given = series_of_file(str(options["frames"]), run.config) if reads_frames else str(options["text"])
    most = options["max_source_tokens"]
    return _of_series(run, given, most) if reads_frames else _of_text(run, given, most)


def _check_kind(options: Mapping[str, Any], *, frames: bool) -> None:
    """Raise UserError where the source that is named is none that the run reads."""
    if frames and options["frames"] is None:
        raise UserError(f"text must be left out, as run={options['run']} reads frames: give frames=FILE.")
    if not frames and options["frames"] is not None:
        raise UserError(f"frames must be left out, as run={options['run']} reads text: give text.")


def _of_text(run: LoadedRun, text: str, most: int) -> ReadSource:
    """Ids of the text with EOS behind them, and the pieces that they are of, as they are in the text."""
    if isinstance(text, Series):
        raise UserError("text must be a text, which this run reads, but is frames.")
    tokenizer = run.tokenizers.source
    (ids,) = tokenizer.encode([text])
    if not ids:
        raise UserError(f"text must have at least one token, but {text!r} has none: give another text.")
    if len(ids) > most:
        raise UserError(f"text must have at most max_source_tokens={most} tokens, but has {len(ids)}: cut it.")
    pieces = [*tokenizer.surface(text), *tokenizer.pieces([EOS])]
    return ReadSource(text, torch.tensor([[*ids, EOS]]), pieces, text)


def _of_series(run: LoadedRun, series: str, most: int) -> ReadSource:
    """Frames of a series, each named by its number from 1."""
    sequences = source_sequences(run.tokenizers.source, [series])
    if (length := int(sequences.lengths[0])) > most:
        raise UserError(f"frames must be at most max_source_tokens={most}, but are {length}: cut them, or allow more.")
    source, _ = sequences.padded(torch.tensor([0]), end=True)
    assert isinstance(series, Series)  # or it would have been refused
    return ReadSource(series, source, run.tokenizers.source.surface(series), Path(series.place).stem)
