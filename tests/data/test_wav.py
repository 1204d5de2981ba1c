"""Sounds come out of WAV files as they stand there, or one line says why not."""

import wave

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
        (lambda path: write(path, WAVES.view("u1"), width=1), "but has 8 bits in 1: convert it."),
        (lambda path: write(path, WAVES.T[:, :3], channels=3), "but has 16 bits in 3: convert it."),
        (lambda path: write(path, WAVES[0, :100]), "must be at least a window long, 400 samples, but has 100: leave"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "1800 bytes of sound, as it says, but holds 956: it"),
        (lambda path: path.write_bytes(b""), "16-bit PCM, but cannot be read so: it is cut short."),
        (lambda path: path.write_bytes(b"ID3 some other sound"), "so: file does not start with RIFF id."),
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
