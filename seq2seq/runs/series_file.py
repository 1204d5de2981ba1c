"""A single series out of a file, as a run reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.config.builder import build
from seq2seq.data.corpora.wav import spectrum_of
from seq2seq.data.series import Series
from seq2seq.errors import UserError


def series_of_file(path: str, config: Mapping[str, Any]) -> Series:
    """The series of a .npy file with an array `time feature`, or of a sound as the run's data make spectra of them.

    Raises UserError at any other file, and at a sound where the data of the run are none.
    """
    kind = Path(path).suffix.lower()
    if kind == ".wav":
        if (node := config["data"].get("spectrum")) is None:
            raise UserError(f"frames must be a .npy file, as the run's data are no sounds, but is {path}.")
        return spectrum_of(Path(path), build(node, "data.spectrum"))
    if kind != ".npy":
        raise UserError(f"frames must be a .npy or a .wav file, but is {path}.")
    try:
        return Series(np.load(path, allow_pickle=False), path)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"frames cannot be read from {path}: {' '.join(str(error).split())[:120]}") from None
