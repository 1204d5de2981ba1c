"""Sounds come out of WAV files as they stand there, or one line says why not."""

import random
import struct
import wave
from contextlib import suppress

import numpy as np
import pytest
import torch

from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.corpora.wav import WavCorpus
from seq2seq.data.log_mel import LogMel
from seq2seq.data.wav_file import read_sound
from seq2seq.errors import UserError

WAVES = np.random.default_rng(1).integers(-32768, 32767, (4, 2000)).astype("<i2")


def write(path, samples, *, rate: int = 16000, channels: int = 1, width: int = 2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(samples).tobytes())
    return path


def chunks(*parts: bytes) -> bytes:
    body = b"WAVE" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name: bytes, held: bytes) -> bytes:
    return name + struct.pack("<I", len(held)) + held


def form(kind: int, *, bits: int = 16, more: bytes = b"") -> bytes:
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, 1, 16000, 2000 * bits, bits // 8, bits) + more)


def extensible(kind: int) -> bytes:
    """A form as Microsoft has it for sounds of many channels, and some writers for all."""
    subformat = struct.pack("<H", kind) + bytes.fromhex("000000001000800000aa00389b71")
    return form(0xFFFE, more=struct.pack("<HHI", 22, 16, 4) + subformat)


SOUND = chunk(b"data", WAVES[0].tobytes())


def corpus(train, **options):
    return WavCorpus(options=FileOptions(str(train), dev=str(train)), spectrum=LogMel(**options))


@pytest.fixture
def sounds(tmp_path):
    """Two sounds, named in a table and with their texts beside them."""
    for name, samples, text in (("a", WAVES[0], "HH IY"), ("b", WAVES[1, :900], "Y UW")):
        write(tmp_path / f"{name}.wav", samples)
        (tmp_path / f"{name}.txt").write_text(f"{text}\n")
    (tmp_path / "words.tsv").write_text("a.wav\tHH IY\nb.wav\tY UW\n")
    return tmp_path


def test_samples_are_between_minus_one_and_one_and_channels_become_their_mean(tmp_path):
    samples, rate = read_sound(write(tmp_path / "a.wav", WAVES[0]))
    assert rate == 16000
    np.testing.assert_array_equal(samples.numpy(), WAVES[0] / np.float32(32768))
    both, _ = read_sound(write(tmp_path / "b.wav", WAVES[:2].T, channels=2))
    np.testing.assert_allclose(both.numpy(), WAVES[:2].astype(float).mean(0) / 32768, atol=1e-7)


@pytest.mark.parametrize("form", ["table", "folder"])
def test_sounds_are_read_as_spectra_with_their_texts(sounds, form):
    found = corpus(sounds / "words.tsv" if form == "table" else sounds).load().train
    assert [example.targets for example in found] == [("HH IY",), ("Y UW",)]
    expected = LogMel()(torch.from_numpy(WAVES[0] / np.float32(32768)))
    np.testing.assert_array_equal(found[0].source.values, expected.numpy())
    assert [len(example.source.values) for example in found] == [11, 4]
    assert found[1].source.place == str(sounds / "b.wav")


def test_a_sound_whose_writer_did_not_know_its_length_is_read_to_its_end(tmp_path):
    path = write(tmp_path / "a.wav", WAVES[0])
    data = bytearray(path.read_bytes())
    data[4:8], data[40:44] = (0x7FFFF024).to_bytes(4, "little"), (0x7FFFF000).to_bytes(4, "little")
    path.write_bytes(data)
    np.testing.assert_array_equal(read_sound(path).samples.numpy(), WAVES[0] / np.float32(32768))


@pytest.mark.parametrize(
    "parts",
    [
        (form(1), SOUND),
        (extensible(1), SOUND),
        (form(1), chunk(b"LIST", b"odd"), SOUND),  # without the byte that evens it
        (form(1), chunk(b"LIST", b"odd") + b"\0", SOUND),
        (form(1), chunk(b"LIST", b"odd") + b"x", SOUND),
        (chunk(b"JUNK", bytes(28)), form(1), SOUND, chunk(b"LIST", b"even")),
        (form(1), SOUND, b"LIST\xff\xff\0\0cut"),
        (form(1), b"data\xff\xff\xff\xff" + SOUND[8:]),
    ],
)
def test_a_sound_is_found_whatever_stands_beside_it(tmp_path, parts):
    (path := tmp_path / "a.wav").write_bytes(chunks(*parts))
    samples, rate = read_sound(path)
    assert rate == 16000
    np.testing.assert_array_equal(samples.numpy(), WAVES[0] / np.float32(32768))


def test_the_command_that_writes_a_sound_anew_can_be_pasted(tmp_path):
    for name, anew in (("a b.mp3", "a b.wav"), ("a b.wav", "a b-16-bit.wav")):
        (path := tmp_path / name).write_bytes(b"ID3")
        with pytest.raises(UserError) as error:
            read_sound(path)
        command = f"ffmpeg -i '{path}' -ac 1 -ar 16000 -c:a pcm_s16le '{tmp_path / anew}'"
        assert str(error.value) == (
            f"{path} must be a WAV file of 16-bit PCM in one or two channels, but is MP3: {command}"
        )


def test_a_damaged_sound_is_read_or_told(tmp_path):
    whole, path = chunks(extensible(1), chunk(b"LIST", b"odd"), SOUND[:100]), tmp_path / "a.wav"
    for seed in range(400):
        draw, damaged = random.Random(seed), bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(90)] = draw.randrange(256)
        path.write_bytes(damaged[: draw.randrange(len(damaged)) if seed % 3 else None])
        with suppress(UserError):
            read_sound(path)


def mistake(train, **options) -> str:
    with pytest.raises(UserError) as error:
        corpus(train, **options).load()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_rates_must_be_that_of_the_spectrum(sounds):
    write(sounds / "b.wav", WAVES[0], rate=8000)
    assert mistake(sounds).endswith(
        "b.wav must have 16000 samples a second, as spectrum.rate says, but has 8000: resample it, or where all have "
        "as many, set spectrum.rate=8000."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: write(path, WAVES.view("u1"), width=1), "but has 8 bits in 1: ffmpeg -i "),
        (lambda path: write(path, WAVES.T[:, :3], channels=3), "but has 16 bits in 3: ffmpeg -i "),
        (lambda path: write(path, WAVES[0, :100]), "must be at least a window long, 400 samples, but has 100: leave"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "1800 bytes of sound, as it says, but holds 956: it"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "16-bit PCM, but has no sound: it is cut short or dam"),
        (lambda path: path.write_bytes(path.read_bytes()[:30]), "but has no line of how it is written: it is cut shor"),
        (lambda path: path.write_bytes(b""), "of 16-bit PCM, but is empty: leave it out."),
        (lambda path: path.write_bytes(b"ID3 some other sound"), "one or two channels, but is MP3: ffmpeg -i "),
        (lambda path: path.write_bytes(b"fLaC other"), "but is FLAC: ffmpeg -i "),
        (lambda path: path.write_bytes(b"\0\0\0\x20ftypM4A "), "but is MP4: ffmpeg -i "),
        (lambda path: path.write_bytes(b"words"), "but is none: ffmpeg -i "),
        (lambda path: path.write_bytes(chunks(form(3, bits=32), SOUND)), "but holds floating point: ffmpeg -i "),
        (lambda path: path.write_bytes(chunks(form(0x1234), SOUND)), "but holds sound of form 0x1234: ffmpeg -i "),
        (lambda path: path.write_bytes(chunks(extensible(3), SOUND)), "but holds floating point: ffmpeg -i "),
        (lambda path: path.unlink(), "b.wav must be a sound, but there is no such file."),
    ],
)  # fmt: skip
def test_what_is_no_such_sound_is_told_in_one_line(sounds, change, message):
    change(sounds / "b.wav")
    assert message in mistake(sounds / "words.tsv")


def test_a_sound_in_a_folder_needs_its_text(sounds):
    (sounds / "b.txt").unlink()
    assert mistake(sounds).endswith("b.wav must have its text in b.txt beside it, but there is none.")


def test_an_empty_folder_is_told(tmp_path):
    assert mistake(tmp_path) == f"{tmp_path} must hold at least one series, but holds none."
