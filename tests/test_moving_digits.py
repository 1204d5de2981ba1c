"""The example's scenes go on by the rules, and its forecasters learn them."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import moving_digits as example  # noqa: E402

sys.path.pop(0)

BLOBS = np.zeros((3, 8, 8), np.float32)
BLOBS[0, 2:6, 2:6], BLOBS[1, 3:5], BLOBS[2, :, 3:5] = 1.0, 1.0, 1.0


def test_digits_move_by_one_speed_and_bounce_off_walls():
    dot = np.zeros((1, 8, 8), np.float32)
    dot[0, 0, 0] = 1.0
    for scene in example.scenes(dot, 5, 30, np.random.default_rng(1)):
        counts = scene.flatten(1).sum(1)
        assert set(counts.tolist()) <= {1.0, 2.0}  # two dots, perhaps one on the other
        places = [frame.nonzero() for frame in scene]
        assert all((place <= example.BOX - example.DIGIT).all() for place in places)
        for now, then in zip(places, places[1:], strict=False):
            if len(now) == len(then) == 2:
                steps = [(then[list(order)] - now).abs() for order in ((0, 1), (1, 0))]
                assert any(step.max() <= 2 and step.min() >= 0 for step in steps)


def test_scenes_are_the_same_for_the_same_seed():
    one, two, other = (example.scenes(BLOBS, 2, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_folding_loses_nothing_and_keeps_neighbours():
    pictures = torch.rand(2, 3, example.BOX, example.BOX)
    vectors = example.folded(pictures)
    assert torch.equal(example.unfolded(vectors), pictures)
    moved = example.folded(pictures.roll((2, -4), (-2, -1))).unflatten(-1, (4, example.PLACES, example.PLACES))
    expected = vectors.unflatten(-1, (4, example.PLACES, example.PLACES)).roll((1, -2), (-2, -1))
    assert torch.equal(moved, expected)


def test_the_plain_forecaster_is_as_large():
    wanted = example.parameters(example.convolutional(16))
    assert example.parameters(example.plain(example.fitted(wanted))) == pytest.approx(wanted, rel=0.15)


def test_the_last_frame_is_right_where_nothing_moves():
    scene = torch.rand(2, 1, example.BOX, example.BOX).expand(-1, 6, -1, -1)
    assert example.error(example.forecast(None, scene, 4), scene) == 0.0


def test_conv_lstms_soon_beat_the_last_frame_and_the_mean():
    torch.manual_seed(1)
    model = example.convolutional(8)
    example.train(model, partial(example.scenes, BLOBS, 8, 4, np.random.default_rng(1)), 3, 80)
    test = example.scenes(BLOBS, 40, 4, np.random.default_rng(2))
    found = example.forecast(model, test, 3)
    mean = test[:, 3:].mean((0, 1)).expand_as(found)
    others = example.error(example.forecast(None, test, 3), test), example.error(mean, test)
    assert example.error(found, test) < 0.8 * min(others)
    figure = example.strip(test[0], {"ConvLSTM": found[0]}, 3)
    assert len(figure.axes) == 2 * 4
