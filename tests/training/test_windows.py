"""Several batches make one step, as if they were one batch."""

from functools import partial

import pytest
import pytorch_lightning as lightning
import torch
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.throughput import Throughput
from seq2seq.training.windows import check_accumulation

SGD = partial(torch.optim.SGD, lr=1.0)


@pytest.fixture
def data(new_data):
    """Five batches an epoch, so windows of two are followed by one of one, and windows of three by one of two."""
    data = new_data(max_sentences=5)
    assert len(data.train_plan.epoch(0)) == 5
    return data


def joined(data, *numbers: int):
    """Batches of the first epoch as one."""
    batches = data.train_plan.epoch(0)
    rows = torch.cat([batches[number] for number in numbers])
    return data.train_pairs.batch(rows, step_tokens=float((data.train_pairs.target.lengths[rows] + 1).sum()))


@pytest.mark.parametrize(
    ("batches", "limit", "windows"),
    [
        (2, 1.0, [(0, 1), (2, 3), (4,)]),
        (3, 1.0, [(0, 1, 2), (3, 4)]),
        (2, 3, [(0, 1), (2,)]),
        (3, 0.8, [(0, 1, 2), (3,)]),
    ],
)
def test_a_step_of_several_batches_is_that_of_the_joined_batch(new_module, fit, data, copied, batches, limit, windows):
    module = new_module(optimizer=SGD, budget=Budget(max_steps=len(windows)))
    alone = new_module(optimizer=SGD)
    trainer = fit(module, data=data, accumulate_grad_batches=batches, limit_train_batches=limit)
    optimizer = alone.configure_optimizers()
    for step, numbers in enumerate(windows):
        loss = alone.step.take(joined(data, *numbers), optimizer, step=step, spent=0.0)
    for (name, weight), expected in zip(copied(module.model).items(), alone.model.parameters(), strict=True):
        assert_close(weight, expected.detach(), msg=name, rtol=1e-4, atol=1e-6)
    assert_close(trainer.callback_metrics["train/loss"], loss)
    assert trainer.global_step == module.step.average.updates == len(windows)


class Seen(lightning.Callback):
    """Seeds of batches, steps of validations, and whether gradients were waiting for their step there."""

    def __init__(self) -> None:
        self.seeds, self.validations, self.waiting = [], [], []
        self._stepped = False

    def on_before_zero_grad(self, *_) -> None:
        self._stepped = False

    def on_before_optimizer_step(self, *_) -> None:
        self._stepped = True

    def on_train_batch_end(self, trainer, *_) -> None:
        self.seeds.append(torch.initial_seed())

    def on_validation_start(self, trainer, *_) -> None:
        self.validations.append(trainer.global_step)
        self.waiting.append(not self._stepped)


def test_every_batch_of_a_step_has_dropout_masks_of_its_own(new_module, fit, data):
    plain, seen = Seen(), Seen()
    fit(new_module(budget=Budget(max_steps=3)), plain, data=data)
    fit(new_module(budget=Budget(max_steps=3)), seen, data=data, accumulate_grad_batches=2)
    assert len(set(seen.seeds)) == len(seen.seeds) == 5
    assert seen.seeds[::2] == plain.seeds  # the first of each step, as when it is alone


@pytest.mark.parametrize("interval", [1, 2, 3])
@pytest.mark.parametrize("batches", [1, 2, 3])
def test_validations_are_counted_in_steps_and_fall_behind_them(new_module, fit, data, batches, interval):
    seen = Seen()
    changes = {"accumulate_grad_batches": batches, "val_check_interval": interval}
    fit(new_module(budget=Budget(max_steps=7)), seen, data=data, **changes)
    assert seen.validations == sorted({*range(interval, 8, interval), 7})  # and one at the end
    assert not any(seen.waiting)


def test_the_learning_rate_and_the_clock_stand_still_within_a_step(new_module, fit, data, recorder, monkeypatch):
    class Clock(lightning.Callback):
        now = 0.0

        def monotonic(self) -> float:
            return self.now

        def on_train_batch_start(self, *_) -> None:
            self.now += 7

    clock = Clock()
    monkeypatch.setattr("seq2seq.training.budget.time", clock)
    module = new_module(budget=Budget(max_minutes=0.5))  # over in the third batch of the second step
    trainer = fit(module, clock, recorder, data=data, accumulate_grad_batches=3)
    assert trainer.global_step == 2


def test_the_tokens_of_a_step_are_counted_once(new_module, fit, data, monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            self.now += 1
            return self.now

    monkeypatch.setattr("seq2seq.training.callbacks.throughput.time", Clock())
    changes = {"accumulate_grad_batches": 2, "log_every_n_steps": 2}
    trainer = fit(new_module(budget=Budget(max_steps=2)), Throughput(), data=data, **changes)
    assert trainer.callback_metrics["train/target_tokens_per_second"] == joined(data, 0, 1, 2, 3).step_tokens


def test_all_batches_of_a_step_that_is_left_out_are_kept(new_module, fit, data, tmp_path):
    from test_skipping import Poisoned

    module = new_module(objective=Poisoned(2), budget=Budget(max_steps=3))
    fit(module, data=data, accumulate_grad_batches=2)
    (path,) = (tmp_path / "skipped").iterdir()
    record = torch.load(path, weights_only=True)
    assert record["step"] == 2
    assert len(record["batches"]) == 2


# Refusals


def test_no_batches_make_no_step():
    with pytest.raises(UserError) as error:
        check_accumulation(0, 500)
    assert str(error.value) == "accumulate_grad_batches must be at least 1, but is 0."


def test_validation_by_time_would_fall_between_the_batches_of_a_step():
    check_accumulation(1, "00:10:00:00")
    with pytest.raises(UserError) as error:
        check_accumulation(2, "00:10:00:00")
    assert str(error.value) == (
        "val_check_interval must be a number of steps where accumulate_grad_batches is above 1, but is '00:10:00:00': "
        "validation may not fall between the batches of a step."
    )


@pytest.mark.parametrize("name", ["val_check_interval", "log_every_n_steps"])
@pytest.mark.parametrize("value", [0, -2])
def test_intervals_have_a_length(train_tiny, tmp_path, name, value):
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, f"trainer.{name}={value}")
    assert str(error.value) == f"trainer.{name} must be above 0, but is {value}: give a number of steps."


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_a_seed_is_one_that_all_take(train_tiny, tmp_path, seed):
    with pytest.raises(UserError, match=f"^seed must be a whole number from 0 to 4294967295, but is {seed}\\.$"):
        train_tiny(tmp_path, f"seed={seed}")
