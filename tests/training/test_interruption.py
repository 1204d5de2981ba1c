"""Training that is asked to stop keeps its last step, and goes on as if it had not been asked."""

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.budget import Budget
from seq2seq.training.module import Seq2SeqModule

# All that draws random numbers is on, and all that counts validations; a validation comes after every third step.
RUN = [
    "model.dropout=0.3",
    "schedule=plateau",
    "schedule.warmup_steps=4",
    "schedule.patience=1",
    "averaging.kind=triggered",
    "averaging.patience=1",
    "averaging.decay=null",
    "scheduled_sampling=exponential",
    "scheduled_sampling.base=0.9",
    "scheduled_sampling.feed=sample",
    "trainer.val_check_interval=3",
    "callbacks=early_stopping",
    "callbacks.early_stopping.patience=100",
]
STEPS = 14
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


@pytest.fixture(scope="module")
def uninterrupted(train_tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train_tiny(folder, *RUN, f"budget.max_steps={STEPS}")
    return folder


@pytest.fixture
def send(monkeypatch):
    """Send this process a signal, once, as a hook of the module is called at a step: send("training_step", 4)."""

    def arrange(hook: str, step: int, number: int = signal.SIGTERM) -> None:
        called, sent = getattr(Seq2SeqModule, hook), []

        def sending(self, *arguments):
            if self.global_step == step and not sent:
                sent.append(step)
                os.kill(os.getpid(), number)
            return called(self, *arguments)

        monkeypatch.setattr(Seq2SeqModule, hook, sending)

    return arrange


def kept(folder: Path, name: str) -> dict[str, Any]:
    """What a checkpoint keeps, but for seconds, digests and what only Lightning reads of where files were."""
    found = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    names = ("weights", "state_dict", "optimizer_states", "average_updates", "validations_seen", "global_step", "epoch")
    stopping = [state for key, state in found["callbacks"].items() if key.startswith("EarlyStopping")]
    return {key: found.get(key) for key in names} | {"early_stopping": stopping}


def assert_equal(folder: Path, other: Path) -> None:
    for name in ("last", "best"):
        torch.testing.assert_close(kept(folder, name), kept(other, name), rtol=0, atol=0)


def interrupted(train_tiny, folder: Path, exit_code: int = 143) -> None:
    folder.mkdir()
    with pytest.raises((SystemExit, KeyboardInterrupt)) as stopped:
        train_tiny(folder, *RUN, f"budget.max_steps={STEPS}")
    assert getattr(stopped.value, "code", 130) == exit_code


@pytest.mark.parametrize(
    ("hook", "step"),
    [
        *[("training_step", step) for step in (0, 1, 2, 4, 5, 8, 10, 13)],
        *[("validation_step", step) for step in (3, 6, STEPS)],
        ("on_validation_start", 9),
        ("on_validation_epoch_end", 9),
        ("on_train_epoch_start", 0),
    ],
)
def test_a_run_that_is_stopped_at_any_place_goes_on_as_the_uninterrupted(
    hook, step, train_tiny, uninterrupted, send, tmp_path, caplog
):
    folder = tmp_path / "run"
    send(hook, step)
    interrupted(train_tiny, folder)
    after = step + (hook in ("training_step", "on_train_epoch_start"))
    assert caplog.messages[-1].startswith(f"interrupted by SIGTERM at step {after}; continue with ")
    assert kept(folder, "last")["global_step"] == after
    train_tiny(folder, *RUN, f"budget.max_steps={STEPS}", resume=True)
    assert_equal(folder, uninterrupted)


def test_a_signal_while_the_average_is_written_into_the_model_waits_for_it(train_tiny, tmp_path, monkeypatch):
    moving = ["averaging.kind=ema", "averaging.decay=0.5", "averaging.patience=5", f"budget.max_steps={STEPS}"]
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    for folder in (whole, parted):
        folder.mkdir()
    train_tiny(whole, *RUN, *moving)
    write, sent = WeightAverage._write, []

    def half_written(self, values):
        if not sent:
            name, weight = next(self.model.named_parameters())
            assert not torch.equal(weight, values[name])
            weight.data.copy_(values[name])
            sent.append(name)
            os.kill(os.getpid(), signal.SIGTERM)
        write(self, values)

    monkeypatch.setattr(WeightAverage, "_write", half_written)
    with pytest.raises(SystemExit):
        train_tiny(parted, *RUN, *moving)
    assert kept(parted, "last")["global_step"] == 3
    train_tiny(parted, *RUN, *moving, resume=True)
    assert_equal(parted, whole)


def test_a_run_can_be_stopped_again_and_again(train_tiny, uninterrupted, send, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    send("training_step", 2, signal.SIGINT)
    interrupted(train_tiny, folder, exit_code=130)
    for hook, step in (("validation_step", 3), ("validation_step", 3), ("training_step", 3), ("training_step", 11)):
        send(hook, step)
        with pytest.raises(SystemExit):
            train_tiny(folder, *RUN, f"budget.max_steps={STEPS}", resume=True)
    train_tiny(folder, *RUN, f"budget.max_steps={STEPS}", resume=True)
    assert_equal(folder, uninterrupted)


@pytest.fixture
def answer():
    """Set how this process answers a signal; what it did before is given back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield signal.signal
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_terminal_that_is_closed_stops_a_run_with_its_step(train_tiny, send, tmp_path, uninterrupted, answer):
    answer(signal.SIGHUP, signal.SIG_DFL)
    folder = tmp_path / "run"
    send("training_step", 4, signal.SIGHUP)
    interrupted(train_tiny, folder)
    assert kept(folder, "last")["global_step"] == 5
    train_tiny(folder, *RUN, f"budget.max_steps={STEPS}", resume=True)
    assert_equal(folder, uninterrupted)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_that_is_ignored_at_the_start_stays_so(train_tiny, send, tmp_path, answer, number):
    answer(number, signal.SIG_IGN)
    send("training_step", 1, number)
    train_tiny(tmp_path, *RUN, "budget.max_steps=3")
    assert kept(tmp_path, "last")["global_step"] == 3


def test_handlers_are_given_back(train_tiny, send, tmp_path):
    before = {number: signal.getsignal(number) for number in SIGNALS}
    send("training_step", 2, signal.SIGUSR1)
    interrupted(train_tiny, tmp_path / "run")
    assert before == {number: signal.getsignal(number) for number in before}


def test_a_second_interrupt_is_not_waited_for(train_tiny, tmp_path, monkeypatch):
    training_step = Seq2SeqModule.training_step

    def pressing(self, *arguments):
        if self.global_step == 4:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return training_step(self, *arguments)

    monkeypatch.setattr(Seq2SeqModule, "training_step", pressing)
    interrupted(train_tiny, tmp_path / "run", exit_code=130)
    assert kept(tmp_path / "run", "last")["global_step"] == 3


def test_training_stops_at_a_time_of_day(train_tiny, tmp_path, monkeypatch, caplog):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 1, 7, 29 + (len(steps) > 5))

    steps: list[int] = []
    training_step = Seq2SeqModule.training_step
    monkeypatch.setattr(
        Seq2SeqModule, "training_step", lambda self, *given: steps.append(1) or training_step(self, *given)
    )
    for module in ("budget", "interruption"):
        monkeypatch.setattr(f"seq2seq.training.{module}.datetime", Clock)
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(SystemExit) as stopped:
        train_tiny(folder, *RUN, f"budget.max_steps={STEPS}", "budget.until=7:30")
    assert stopped.value.code == 143
    assert caplog.messages[-1].startswith("interrupted by the time of day at step 6; continue with ")


@pytest.mark.parametrize("until", ["7:30", "07:30", "23:59", "0:00"])
def test_a_time_of_day_is_the_next(until):
    found = Budget(max_steps=1, until=until).until
    assert found is not None
    assert timedelta(0) < found - datetime.now() <= timedelta(days=1)
    assert f"{found:%H:%M}" == until.zfill(5)


@pytest.mark.parametrize("until", ["24:00", "7", "7:5", "07:30:00", "noon", ""])
def test_what_is_no_time_of_day_is_refused(until):
    with pytest.raises(UserError) as error:
        Budget(max_steps=1, until=until)
    assert str(error.value) == f"until must be a time of day, as in 07:30, but is {until!r}."
