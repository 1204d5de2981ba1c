"""Sounds in WAV files."""

import os
import wave
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError

_STREAMED = 0x7FFF0000  # bytes that a header promises where its writer could not know how many would come


class Sound(NamedTuple):
    """A sound of one channel: samples between -1 and 1, and how many there are in a second."""

    samples: Float[Tensor, " samples"]
    rate: int


def read_sound(path: str | os.PathLike[str]) -> Sound:
    """The sound of a file of 16-bit PCM; of two channels, the mean. Raises UserError at any other, and at a cut one."""
    name = os.fspath(path)
    try:
        with wave.open(name, "rb") as file:
            form, data = file.getparams(), file.readframes(file.getnframes())
    except FileNotFoundError:
        raise UserError(f"{name} must be a sound, but there is no such file.") from None
    except (wave.Error, EOFError, OSError) as error:
        why = " ".join(str(error).split()) or "it is cut short"
        raise UserError(f"{name} must be a WAV file of 16-bit PCM, but cannot be read so: {why}.") from None
    if form.sampwidth != 2 or form.nchannels > 2:
        raise UserError(
            f"{name} must be of 16-bit PCM in one or two channels, but has {8 * form.sampwidth} bits in "
            f"{form.nchannels}: convert it."
        )
    promised = form.nframes * 2 * form.nchannels
    if len(data) < promised < _STREAMED:
        raise UserError(
            f"{name} must hold {promised} bytes of sound, as it says, but holds {len(data)}: it is cut off."
        )
    whole = len(data) // (2 * form.nchannels) * form.nchannels
    values = np.frombuffer(data, "<i2", whole).reshape(-1, form.nchannels).astype(np.float32).mean(1) / 32768
    return Sound(torch.from_numpy(values), form.framerate)
