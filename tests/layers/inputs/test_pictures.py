"""Pictures stay as they are but for one mean and one deviation."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

from seq2seq.errors import UserError
from seq2seq.layers.inputs.input import SourceSide
from seq2seq.layers.inputs.pictures import PictureInput
from seq2seq.layers.recurrent.cells.conv_lstm import ConvLSTMCell
from seq2seq.layers.recurrent.stack import StackOptions
from seq2seq.models.encoder import Encoder

FEATURES = 6
FRAMES = np.random.default_rng(1).normal(3, [[1, 2, 0, 1, 5, 1]], (50, FEATURES)).astype(np.float32)


def new_input(**side) -> PictureInput:
    built = PictureInput(SourceSide(FEATURES, 5, lambda: None, **side))
    built.prepare(FRAMES)
    return built


def test_all_values_have_one_mean_and_one_deviation():
    found = new_input()(torch.from_numpy(FRAMES).unsqueeze(0))
    expected = (FRAMES - FRAMES.mean(dtype=np.float64)) / FRAMES.std(dtype=np.float64)
    torch.testing.assert_close(found[0], torch.from_numpy(expected.astype(np.float32)))
    assert new_input().width == FEATURES


def test_statistics_are_part_of_the_state():
    other = PictureInput(SourceSide(FEATURES, 5, lambda: None))
    other.load_state_dict(new_input().state_dict())
    some = torch.from_numpy(FRAMES).unsqueeze(0)
    torch.testing.assert_close(other(some), new_input()(some))


def test_frames_of_one_value_become_0():
    built = PictureInput(SourceSide(FEATURES, 5, lambda: None))
    built.prepare(np.full((4, FEATURES), 0.1, np.float32))
    assert not built(torch.full((1, 2, FEATURES), 0.1)).any()
    assert built.drawn((2, 3), torch.Generator()).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_frames_in_float32_suit_weights_of_any_kind(dtype):
    built, source = new_input().to(dtype), torch.from_numpy(FRAMES).unsqueeze(0)
    assert built(source).dtype is dtype
    chunk, _ = built.advance(source, torch.tensor([50]), built.start(1))
    assert torch.equal(chunk, built(source))


def test_a_hidden_frame_is_at_the_mean():
    source = torch.from_numpy(FRAMES[:3]).unsqueeze(0)
    copies = new_input().occluded(source)
    hidden = new_input()(copies)
    for place in range(3):
        assert hidden[place, place].abs().max() < 1e-6
        others = torch.arange(3) != place
        torch.testing.assert_close(copies[place, others], source[0, others])


def test_drawn_pictures_are_like_those_to_train_on():
    drawn = new_input().drawn((20, 30), torch.Generator().manual_seed(1))
    assert drawn.shape == (20, 30, FEATURES)
    assert drawn.mean().item() == pytest.approx(FRAMES.mean(), abs=0.2)
    assert drawn.std().item() == pytest.approx(FRAMES.std(), rel=0.1)


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ({"word_dropout": 0.1}, "source_word_dropout must be 0 with frames, which are no words, but is 0.1."),
        ({"shared": True}, "share_embeddings must be false with frames, which have no embedding."),
    ],
)
def test_options_of_words_are_told(side, message):
    with pytest.raises(UserError) as error:
        new_input(**side)
    assert str(error.value) == message


def encoder(direction="forward", **picture) -> Encoder:
    cell = partial(ConvLSTMCell, **{"height": 2, "width": 3} | picture)
    options = StackOptions(hidden_size=12, num_layers=2, cell=cell, dropout=0.0, direction=direction)
    built = Encoder(side=SourceSide(FEATURES, 5, lambda: None), options=options, input=PictureInput)
    built.input.prepare(FRAMES)
    return built.eval()


def test_an_encoder_of_conv_lstms_reads_series_of_pictures():
    source, lengths = torch.from_numpy(FRAMES[:10]).view(2, 5, FEATURES), torch.tensor([5, 2])
    built = encoder("both")
    encoded = built(source, lengths)
    assert encoded.values.shape == (2, 5, 24)
    alone = built(source[1:, :2], lengths[1:])
    torch.testing.assert_close(alone.values[0], encoded.values[1, :2])


def test_and_streams_of_pictures():
    built, source = encoder(), torch.from_numpy(FRAMES[:10]).view(2, 5, FEATURES)
    state, found = built.start(2), []
    for first, last in ((0, 2), (2, 3), (3, 5)):
        encoded, state = built.advance(source[:, first:last], torch.full((2,), last - first), state)
        found.append(encoded.values)
    torch.testing.assert_close(torch.cat(found, 1), built(source, torch.tensor([5, 5])).values)
    renewed, start = built.renew(state, torch.tensor([True, False])), built.start(2)
    for new, old, first in zip(*map(pytree.tree_leaves, (renewed, state, start)), strict=True):
        torch.testing.assert_close((new[0], new[1]), (first[0], old[1]))


def test_pictures_of_another_size_are_refused_by_name():
    with pytest.raises(UserError) as error:
        encoder(width=4)
    assert str(error.value) == (
        "height x width must divide hidden_size, as vectors are pictures of some channels, but 2 x 4 = 8 does not "
        "divide 12: choose another size of pictures, or hidden_size a multiple of it."
    )
    with pytest.raises(UserError, match="must divide input_size, .* but 2 x 2 = 4 does not divide 6"):
        encoder(width=2)
