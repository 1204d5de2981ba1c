"""A single series out of a file, as a run reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.config.builder import build
from seq2seq.config.closed_table import find
from seq2seq.data.corpora.frame_files import UNREADABLE, one_series, reason_of
from seq2seq.data.corpora.line_images import LineImageCorpus, line_series
from seq2seq.data.corpora.wav import spectrum_of
from seq2seq.data.series import Series
from seq2seq.data.text_files import seekable
from seq2seq.errors import UserError


def series_of_file(path: str, config: Mapping[str, Any]) -> Series:
    """The series of a .npy file with an array `time feature`, or of a .npz file with `frames` and `times` of one alone.

    Sounds and pictures of lines are read as the run's data are. Raises UserError at any other file, and at a sound or a
    picture where the data of the run are none.
    """
    kind, data = Path(path).suffix.lower(), config["data"]
    if kind == ".npz":
        return one_series(path)
    if kind == ".npy":
        return _array(path)
    if reads_lines(config):
        return line_series(path, data["height"], inverted=data["inverted"])
    if kind != ".wav":
        raise UserError(f"frames must be a .npy, a .npz or a .wav file, but is {path}.")
    if (node := data.get("spectrum")) is None:
        raise UserError(f"frames must be a .npy or a .npz file, as the run's data are no sounds, but is {path}.")
    return spectrum_of(Path(path), build(node, "data.spectrum"))


def reads_lines(config: Mapping[str, Any]) -> bool:
    """Tell whether the data of a run are pictures of lines, whose columns of pixels are frames."""
    kind = find(config["data"].get("_target_"), "data")
    return isinstance(kind, type) and issubclass(kind, LineImageCorpus)


def _array(path: str) -> Series:
    try:
        found = np.load(seekable(path), allow_pickle=False)
    except UNREADABLE as error:
        raise UserError(f"frames cannot be read from {path}: {reason_of(error)}") from None
    return Series(found, path)
