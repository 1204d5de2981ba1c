"""The example's forecasts use gaps where these say something, and no patient is forecast by a model that saw them."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import visits as example  # noqa: E402

sys.path.pop(0)

TRAINING = example.Training(hidden_size=8, dropout=0.0, lr=0.03, epochs=30, patience=30)


def made_up(count: int = 150, *, seed: int = 1) -> example.Patients:
    """Patients whose first value rises after a long gap and falls after a short one; the other says nothing."""
    random = np.random.default_rng(seed)
    found = []
    for length in random.integers(2, 7, count):
        gaps = np.where(random.random(length) < 0.5, 30.0, 700.0) * (np.arange(length) > 0)
        steps = np.where(gaps == 0, 0.0, np.where(gaps > 100, 1.0, -1.0))
        values = random.normal() + np.concatenate([[0.0], steps[:-1]]).cumsum()
        noise = random.normal(size=length)
        noise[random.random(length) < 0.3] = np.nan
        found.append(np.stack([values, noise, gaps], 1))
    return example.Patients.of(found)


def mean_error(kind: str) -> float:
    training = replace(TRAINING, epochs=80, patience=80) if kind == "time_lstm" else TRAINING  # which learns later
    return float(np.nanmean(example.cross_validated(kind, made_up(), training, 1, parts=2)))


@pytest.mark.parametrize("kind", ["lstm + gaps", "time_lstm", "gru_d"])
def test_gaps_that_say_something_are_used(kind):
    last = np.nanmean(example.baselines(made_up())["last value"])
    assert mean_error(kind) < 0.75 * last


def test_without_gaps_the_same_model_knows_no_better_than_the_last_value():
    last = np.nanmean(example.baselines(made_up())["last value"])
    assert mean_error("lstm") > 0.9 * last


def test_every_patient_is_in_one_fold_and_every_visit_but_the_last_is_forecast():
    assert sorted(np.concatenate(example.folds(37))) == list(range(37))
    patients = made_up(40)
    found = example.cross_validated("gru", patients, example.Training(hidden_size=4, epochs=1), 1, parts=3)
    assert np.array_equal(np.isfinite(found), patients.known.numpy())
    assert patients.known.sum() == int((patients.lengths - 1).sum())


def test_the_models_that_read_no_times_do_not_see_them():
    patients = made_up(10)
    later = example.Patients(patients.visits * torch.tensor([1.0, 1.0, 3.0]), patients.lengths)
    for kind in example.KINDS:
        torch.manual_seed(1)
        model = example.Forecaster(kind, 2, TRAINING).eval()
        torch.nn.init.normal_(model.head.weight)
        found = [model(one.visits, one.lengths)[one.known] for one in (patients, later)]
        assert torch.equal(*found) == (not model.timed)


def test_forecasts_do_not_look_ahead():
    patients = made_up(10)
    changed = patients.visits.clone()
    changed[:, 2:] += 5
    for kind in example.KINDS:
        model = example.Forecaster(kind, 2, TRAINING).eval()
        torch.nn.init.normal_(model.head.weight)
        first, second = model(patients.visits, patients.lengths), model(changed, patients.lengths)
        torch.testing.assert_close(first[:, :2], second[:, :2])


def test_the_interval_of_a_difference_is_around_it():
    random = np.random.default_rng(1)
    one, other = random.random((50, 4)), random.random((50, 4)) + 0.5
    one[:, 3] = other[:, 3] = np.nan
    low, high = example.interval(one, other)
    assert low < np.nanmean(one) - np.nanmean(other) < high < 0


def test_the_picture_is_drawn(tmp_path):
    example.draw("time_lstm", made_up(20), example.Training(hidden_size=4, epochs=2), tmp_path / "x.png", ["a", "b"])
    assert (tmp_path / "x.png").stat().st_size > 5000
