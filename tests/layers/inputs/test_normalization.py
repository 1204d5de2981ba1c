"""Statistics of features are exact, whatever is missing, and a constant one is 0."""

import numpy as np
import pytest
import torch

from seq2seq.layers.inputs import normalization
from seq2seq.layers.inputs.normalization import Normalization

FRAMES = np.random.default_rng(1).normal([0, 1e4, -3], [1, 0.5, 100], (501, 3))


def of(kind, frames) -> Normalization:
    built = Normalization(frames.shape[1], kind).double()
    built.prepare(frames)
    return built


def test_standard_features_have_mean_0_and_deviation_1(monkeypatch):
    monkeypatch.setattr(normalization, "_AT_ONCE", 100)  # in parts
    found = of("standard", FRAMES)(torch.from_numpy(FRAMES).unsqueeze(0))[0]
    torch.testing.assert_close(found.mean(0), torch.zeros(3, dtype=torch.double), atol=1e-9, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(3, dtype=torch.double))


def test_robust_features_are_not_moved_by_a_wild_value():
    wild = FRAMES.copy()
    wild[0] = 1e9
    calm, moved = (of("robust", frames)(torch.from_numpy(FRAMES).unsqueeze(0)) for frames in (FRAMES, wild))
    assert (calm - moved).abs().max() < 0.05
    assert 0.8 < calm[0].std(0).min() < calm[0].std(0).max() < 1.2


def test_log_is_standard_of_the_logarithm():
    found = of("log", FRAMES)(torch.from_numpy(FRAMES).unsqueeze(0))
    logs = np.sign(FRAMES) * np.log1p(np.abs(FRAMES))
    torch.testing.assert_close(found, of("standard", logs)(torch.from_numpy(logs).unsqueeze(0)))


def test_none_changes_nothing_and_knows_the_mean():
    built = of("none", FRAMES)
    assert torch.equal(built(torch.from_numpy(FRAMES)[None]), torch.from_numpy(FRAMES)[None])
    torch.testing.assert_close(built.mean, torch.from_numpy(FRAMES.mean(0)))


@pytest.mark.parametrize("kind", ["standard", "robust", "log", "none"])
def test_statistics_are_as_they_were_found_when_weights_become_short(kind):
    found, some = of(kind, FRAMES).float(), torch.from_numpy(FRAMES).float()
    before = found(some)
    assert torch.equal(found.bfloat16()(some), before)
    assert found.double()(some.double()).dtype is torch.double


@pytest.mark.parametrize("kind", ["standard", "robust", "log"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_a_constant_feature_is_0_and_not_nan(kind, value):
    frames = np.full((50, 2), value, dtype=np.float32)
    frames[:, 1] = np.arange(50)
    found = of(kind, frames)(torch.from_numpy(frames).double()[None])
    assert torch.equal(found[..., 0], torch.zeros(1, 50, dtype=torch.double))
    assert found.isfinite().all()


@pytest.mark.parametrize("kind", ["standard", "robust", "log", "none"])
def test_missing_values_do_not_count(kind):
    frames = np.concatenate([FRAMES, np.full((30, 3), np.nan)])
    frames[501:510, 0] = FRAMES[:9, 0]
    known = of(kind, np.concatenate([FRAMES, FRAMES[:9]])), of(kind, frames)
    torch.testing.assert_close(known[0].center[0], known[1].center[0])
    torch.testing.assert_close(of(kind, FRAMES).mean[1:], known[1].mean[1:])
    never = FRAMES.copy()
    never[:, 1] = np.nan
    assert all(value.isfinite().all() for value in of(kind, never).state_dict().values())
