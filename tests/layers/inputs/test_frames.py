"""Frames become the same vectors whatever is beside or behind them, in one piece or in chunks."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.front_end import ConvolutionalFrontEnd
from seq2seq.layers.inputs.frames import FrameInput
from seq2seq.layers.inputs.imputation import Seen, carried_forward, clock, interpolated, observed_within
from seq2seq.layers.inputs.input import SourceSide

LENGTHS = torch.tensor([6, 2, 1, 4])
OPTIONS = [
    {},
    {"normalization": "robust"},
    {"normalization": "log"},
    {"normalization": "none"},
    {"imputation": "carry_forward", "mask": True, "gaps": True},
    {"imputation": "mean", "gaps": True},
    {"imputation": "decay", "mask": True},
    {"imputation": "interpolation", "mask": True},
]


def new_input(features: int = 3, **options) -> FrameInput:
    torch.manual_seed(1)
    built = FrameInput(SourceSide(features, 5, lambda: None), **options).double()
    built.prepare(np.random.default_rng(2).normal(3, [[1, 10, 0.1]], (200, 3))[:, :features])
    return built.eval()


def some_frames(*, missing: bool) -> torch.Tensor:
    random = torch.Generator().manual_seed(3)
    frames = torch.randn(4, 6, 3, generator=random, dtype=torch.double) + 3
    if missing:
        frames[torch.rand(frames.shape, generator=random) < 0.4] = torch.nan
    for row, length in enumerate(LENGTHS.tolist()):
        frames[row, length:] = 0  # as batches pad
    return frames


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_padding_and_company_change_nothing(options):
    built, frames = new_input(**options), some_frames(missing="imputation" in options)
    together = built(frames, LENGTHS)
    wider = built(torch.cat([frames, torch.full((4, 3, 3), 7.0)], 1), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = built(frames[row : row + 1, :length], LENGTHS[row : row + 1])
        assert alone.isfinite().all()
        for found in (together, wider):
            torch.testing.assert_close(found[row, :length], alone[0])


@pytest.mark.parametrize("options", OPTIONS[:-1], ids=str)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_chunks_give_what_the_whole_does(options, size):
    built, frames = new_input(**options), some_frames(missing="imputation" in options)
    state, found = built.start(4), []
    for start in range(0, 6, size):
        lengths = (LENGTHS - start).clamp(0, min(size, 6 - start))
        vectors, state = built.advance(frames[:, start : start + size], lengths, state)
        found.append(vectors)
    whole = built(frames, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(torch.cat(found, 1)[row, :length], whole[row, :length])


@pytest.mark.parametrize("options", [given for given in OPTIONS if "imputation" in given][:-1], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_frames_in_float32_suit_weights_of_any_kind(dtype, options):
    built = new_input(**options).to(dtype)
    frames = some_frames(missing=True).float()
    whole = built(frames, LENGTHS)
    assert whole.dtype is dtype
    chunk, _ = built.advance(frames, LENGTHS, built.start(4))
    torch.testing.assert_close(chunk[0], whole[0])


def test_what_looks_ahead_reads_no_streams():
    with pytest.raises(UserError, match="imputation must not be interpolation for streams"):
        new_input(imputation="interpolation").check_streams()
    with pytest.raises(UserError, match="front_end must be none for streams"):
        new_input(front_end=partial(ConvolutionalFrontEnd, widths=[3], channels=2)).check_streams()


def test_gaps_and_carried_values_are_those_of_a_loop():
    frames = some_frames(missing=True)
    observed = observed_within(frames, LENGTHS)
    seen = Seen(torch.full((4, 3), 9.0, dtype=torch.double), torch.full((4, 3), 2.0, dtype=torch.double))
    values, ago = carried_forward(frames, observed, seen, clock(torch.ones(4, 6, 1)))
    for row in range(4):
        for feature in range(3):
            value, since = 9.0, 2.0
            for time in range(int(LENGTHS[row])):
                known = bool(observed[row, time, feature])
                value, since = (float(frames[row, time, feature]), 0.0) if known else (value, since + 1)
                assert (float(values[row, time, feature]), float(ago[row, time, feature])) == (value, since)


def test_a_line_is_drawn_between_neighbours_that_are_known():
    nan = torch.nan
    frames = torch.tensor([[nan, 1.0, nan, nan, 4.0, nan], [nan] * 6]).unsqueeze(-1)
    observed, mean = observed_within(frames, torch.tensor([6, 6])), torch.full((2, 1), 7.0)
    found = interpolated(frames, observed, Seen(mean, torch.zeros_like(mean)), clock(torch.ones(2, 6, 1)))
    torch.testing.assert_close(found[..., 0], torch.tensor([[1.0, 1, 2, 3, 4, 4], [7.0] * 6]))


def test_every_option_of_missing_values_changes_what_is_read():
    frames = some_frames(missing=True)
    found = [
        new_input(imputation=kind)(frames, LENGTHS) for kind in ("carry_forward", "mean", "interpolation", "decay")
    ]
    assert not any(torch.allclose(one, other) for one, other in combinations(found, 2))
    for name in ("mask", "gaps"):
        assert new_input(imputation="mean", **{name: True}).projection.in_features == 6


def test_a_hidden_frame_is_the_one_that_says_nothing():
    for kind in ("standard", "robust", "log"):
        built = new_input(normalization=kind)
        source = some_frames(missing=False)[:1]
        hidden = built.occluded(source)
        assert hidden.shape == (6, 6, 3)
        places = torch.arange(6)
        torch.testing.assert_close(built(hidden)[places, places], built.projection.bias.expand(6, -1))
        assert (hidden == source).all(-1).sum() == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "minmax"}, "normalization must be one of standard, robust, log, none, but is 'minmax'."),
        ({"imputation": "zero"}, "imputation must be one of carry_forward, mean, interpolation, decay, or null"),
        ({"mask": True}, "mask must be false without imputation"),
        ({"gaps": True}, "gaps must be false without imputation"),
    ],
)
def test_mistakes_are_told_by_the_parameter(options, message):
    with pytest.raises(UserError) as error:
        new_input(**options)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ({"word_dropout": 0.1}, "source_word_dropout must be 0 with frames"),
        ({"shared": True}, "share_embeddings must be false with frames"),
    ],
)
def test_options_of_tokens_are_refused(side, message):
    with pytest.raises(UserError, match=message):
        FrameInput(SourceSide(3, 5, lambda: None, **side))
