"""Sounds in WAV files."""

import os
import shlex
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError

_STREAMED = 0x7FFF0000  # bytes that a header promises where its writer could not know how many would come
_PCM, _EXTENSIBLE = 1, 0xFFFE
_SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")  # behind the two bytes of a form, in an extensible one
_NAMES = (b"fmt ", b"data", b"LIST", b"fact", b"JUNK", b"bext", b"id3 ", b"ID3 ")
_FORMS = {2: "ADPCM", 3: "floating point", 6: "A-law", 7: "mu-law", 17: "ADPCM", 85: "MP3"}
# Other kinds of files, by what stands at a place of theirs.
_KINDS = (
    (0, b"ID3", "MP3"),
    (0, b"\xff\xfb", "MP3"),
    (0, b"\xff\xf3", "MP3"),
    (0, b"\xff\xf2", "MP3"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (0, b"FORM", "AIFF"),
    (0, b".snd", "AU"),
    (0, b"RF64", "RF64"),
    (0, b"NIST_1A", "NIST SPHERE"),
    (0, b"\x1aE\xdf\xa3", "WebM"),
    (4, b"ftyp", "MP4"),
)


class Sound(NamedTuple):
    """A sound of one channel: samples between -1 and 1, and how many there are in a second."""

    samples: Float[Tensor, " samples"]
    rate: int


def read_sound(path: str | os.PathLike[str]) -> Sound:
    """The sound of a file of 16-bit PCM; of two channels, the mean. Raises UserError at any other, and at a cut one."""
    name = os.fspath(path)
    try:
        held = Path(name).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{name} must be a sound, but there is no such file.") from None
    except OSError as error:
        raise UserError(f"{name} must be a WAV file of 16-bit PCM, but cannot be read: {error.strerror}.") from None
    if not held:
        raise UserError(f"{name} must be a WAV file of 16-bit PCM, but is empty: leave it out.")
    if held[:4] != b"RIFF" or held[8:12] != b"WAVE":
        raise _other(name, _kind(held))
    header, promised, data = _parts(name, held)
    form, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", header)
    if form == _EXTENSIBLE and header[26:40] == _SUBFORMAT:
        (form,) = struct.unpack_from("<H", header, 24)
    if form != _PCM:
        raise _other(name, f"holds {_FORMS.get(form, f'sound of form {form:#06x}')}")
    if bits != 16 or channels not in (1, 2):
        raise _other(name, f"has {bits} bits in {channels}")
    frame = 2 * channels
    promised = promised // frame * frame
    if len(data) < promised < _STREAMED:
        raise UserError(
            f"{name} must hold {promised} bytes of sound, as it says, but holds {len(data)}: it is cut off."
        )
    values = np.frombuffer(data, "<i2", len(data) // frame * channels).reshape(-1, channels)
    return Sound(torch.from_numpy(values.astype(np.float32).mean(1) / 32768), rate)


def _parts(name: str, held: bytes) -> tuple[bytes, int, bytes]:
    """The form of a sound, how many bytes of it there are to be, and those that are there."""
    header = b""
    for kind, size, start in _chunks(held):
        if kind == b"fmt ":
            header = held[start : start + size]
        elif kind == b"data" and len(header) >= 16:
            return header, size, held[start : start + size]
    lacks = "sound" if len(header) >= 16 else "line of how it is written"
    raise UserError(f"{name} must be a WAV file of 16-bit PCM, but has no {lacks}: it is cut short or damaged.")


def _chunks(held: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name, size and place of each part of a file."""
    start = 12
    while start + 8 <= len(held):
        kind, size = struct.unpack_from("<4sI", held, start)
        yield kind, size, start + 8
        start += 8 + size
        if size % 2 and held[start : start + 4] not in _NAMES:  # some writers leave out the byte that evens a part
            start += 1


def _kind(held: bytes) -> str:
    """The kind of a file that begins so, in words behind `but`."""
    kind = next((kind for place, mark, kind in _KINDS if held.startswith(mark, place)), None)
    return "is none" if kind is None else f"is {kind}"


def _other(name: str, found: str) -> UserError:
    """The mistake of a file that is written otherwise, with the command that writes it anew."""
    path = Path(name)
    anew = path.with_name(f"{path.stem}-16-bit.wav") if path.suffix.lower() == ".wav" else path.with_suffix(".wav")
    command = shlex.join(["ffmpeg", "-i", name, "-ac", "1", "-ar", "16000", "-c:a", "pcm_s16le", str(anew)])
    return UserError(f"{name} must be a WAV file of 16-bit PCM in one or two channels, but {found}: {command}")
