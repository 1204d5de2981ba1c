"""Frames of sound are what the formula says, and the same while it plays."""

import numpy as np
import pytest
import torch

from seq2seq.data.log_mel import LogMel
from seq2seq.errors import UserError


def sound(count: int = 9000, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.processor
@pytest.mark.parametrize("options", [{}, {"rate": 22050}, {"rate": 8000, "window": 0.02, "hop": 0.02, "bands": 23}])
@pytest.mark.parametrize("seed", range(2))
def test_frames_of_a_stream_are_those_of_the_whole_bit_for_bit(options, seed):
    spectrum, samples = LogMel(**options), sound(seed=seed)
    stream, found = spectrum.stream(), []
    cuts = torch.randint(0, 900, (200,), generator=torch.Generator().manual_seed(seed)).tolist()
    for part in samples.split([*cuts[:15], len(samples) - sum(cuts[:15])]):
        found.append(stream.feed(part))
    assert torch.equal(torch.cat(found), spectrum(samples))
    one_by_one = spectrum.stream()
    steps = torch.cat([one_by_one.feed(samples[place : place + 1]) for place in range(800)])
    assert torch.equal(steps, spectrum(samples[:800]))


def test_a_frame_comes_with_the_last_sample_of_its_window_and_looks_no_further():
    spectrum, samples = LogMel(), sound()
    stream = spectrum.stream()
    assert len(stream.feed(samples[:399])) == 0
    assert len(stream.feed(samples[399:400])) == 1
    assert len(stream.feed(samples[400:559])) == 0
    assert len(stream.feed(samples[559:560])) == 1
    changed = samples.clone()
    changed[560:] = 0
    assert torch.equal(spectrum(changed)[:2], spectrum(samples)[:2])
    assert len(spectrum(samples[:399])) == 0


def test_frames_are_those_of_torch_stft_and_a_matrix_of_filters():
    """Power by torch.stft without padding, under a matrix of triangles in the formula of HTK."""
    spectrum, samples = LogMel(), sound()
    window = torch.zeros(512)
    window[:400] = torch.hann_window(400)
    power = torch.stft(samples, 512, 160, window=window, center=False, return_complex=True).abs().square().double()
    edges = 700 * (10 ** (torch.linspace(*(2595 * torch.log10(1 + torch.tensor([20.0, 8000.0]) / 700)), 42) / 2595) - 1)
    frequencies = torch.arange(257) * 16000 / 512
    mel = 2595 * torch.log10(1 + frequencies / 700)
    at = 2595 * torch.log10(1 + edges / 700)
    filters = torch.stack(
        [
            torch.minimum((mel - low) / (middle - low), (high - mel) / (high - middle)).clamp(min=0)
            for low, middle, high in zip(at, at[1:], at[2:], strict=False)
        ]
    )
    expected = (filters.double() @ power).clamp(min=1e-10).log().T
    found = spectrum(samples)[: len(expected)]
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
    assert len(spectrum(samples)) == 1 + (len(samples) - 400) // 160


@pytest.mark.parametrize(("frequency", "band"), [(200, 3), (1000, 13), (4000, 30)])
def test_a_tone_is_loudest_in_the_band_around_it(frequency, band):
    tone = torch.sin(2 * torch.pi * frequency * torch.arange(8000) / 16000)
    assert LogMel()(tone).mean(0).argmax() == band


def test_silence_is_the_floor_and_twice_as_loud_is_the_logarithm_of_four_more():
    spectrum = LogMel()
    torch.testing.assert_close(spectrum(torch.zeros(500)), torch.full((1, 40), 1e-10).log())
    quiet = sound()
    difference = spectrum(2 * quiet) - spectrum(quiet)
    torch.testing.assert_close(difference, torch.full_like(difference, 4.0).log(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0}, "rate must be at least 1 sample a second, but is 0."),
        ({"bands": 0}, "bands must be at least 1, but is 0."),
        ({"window": 0.0}, "window must be at least 2 samples, but is 0 s of 16000 a second."),
        ({"hop": 0.03}, "hop must be at least a sample and at most the window, 0.025 s, but is 0.03."),
        ({"hop": 0.0}, "hop must be at least a sample and at most the window, 0.025 s, but is 0."),
        ({"lowest": 9000.0}, "lowest must be at least 0 Hz and below highest, 8000 Hz, but is 9000."),
        ({"highest": 9000.0}, "highest must be at most half of rate, 8000 Hz, but is 9000."),
        (
            {"bands": 128},
            "bands must be so few that each holds a frequency of the 512 samples that are transformed, but of 128 "
            "number 4 holds none: take fewer, or a longer window.",
        ),
    ],
    ids=str,
)
def test_mistakes_are_told(options, message):
    with pytest.raises(UserError) as error:
        LogMel(**options)
    assert str(error.value) == message


def test_samples_are_told_from_what_is_none():
    spectrum = LogMel()
    sound = np.sin(np.arange(800.0) / 5)
    whole = spectrum(torch.from_numpy(sound))
    assert torch.equal(spectrum(sound), whole)
    assert torch.equal(spectrum(sound.tolist()), whole)
    assert torch.equal(spectrum.stream().feed(sound), whole)
    with pytest.raises(UserError, match=r"one channel, in a row, but have shape \[800, 2\]: take the mean"):
        spectrum(np.zeros((800, 2)))
    with pytest.raises(UserError, match=r"samples must be numbers between -1 and 1, but are torch.int16: divide them"):
        spectrum.stream().feed(np.zeros(800, np.int16))


@pytest.mark.parametrize("given", [{"window": float("nan")}, {"window": float("inf")}, {"hop": float("nan")}])
def test_endless_sizes_are_refused(given):
    [(name, value)] = given.items()
    with pytest.raises(UserError, match=f"^{name} must be a finite number, but is {value}.$"):
        LogMel(**given)
