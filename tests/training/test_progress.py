"""What training says of its way on stderr: a bar, lines, and when it will end."""

import io
import math
import re
from datetime import datetime
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from rich.console import Console

from seq2seq.errors import UserError
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.progress import BudgetProgress
from seq2seq.training.callbacks.progress_line import Window, WindowMeans, step_line, validation_line
from seq2seq.training.checkpoints import BestCheckpoint
from seq2seq.training.schedules import ConstantSchedule
from seq2seq.training.time_left import ForgettingMean, TimeLeft, clock_in, duration


class Passing(lightning.Callback):
    """Lets time pass: so many seconds in each step, and in each validation."""

    def __init__(self, clock: Any, step: float, validation: float = 0.0) -> None:
        self.clock, self.step, self.validation = clock, step, validation

    def on_train_batch_start(self, *_) -> None:
        self.clock.now += self.step

    def on_validation_epoch_start(self, *_) -> None:
        self.clock.now += self.validation


def on(terminal: bool, width: int = 80, **options) -> BudgetProgress:
    """A progress that writes into memory."""
    progress = BudgetProgress(**options)
    progress.console = Console(file=io.StringIO(), width=width, force_terminal=terminal, highlight=False, markup=False)
    return progress


def said(progress: BudgetProgress) -> list[str]:
    return progress.console.file.getvalue().splitlines()


def steps_of(progress: BudgetProgress) -> list[str]:
    """The lines that are of no validation."""
    return [line for line in said(progress) if "dev/" not in line]


# The time that is left


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 s"),
        (45.4, "45 s"),
        (59.6, "1 min 00 s"),
        (270.0, "4 min 30 s"),
        (3900.0, "1 h 05 min"),
        (86399.0, "23 h 59 min"),
        (2 * 86400.0 + 3 * 3600, "2 d 3 h"),
    ],
)
def test_a_duration_is_told_in_two_units(seconds, shown):
    assert duration(seconds) == shown


def test_a_time_of_another_day_has_its_date():
    now = datetime(2026, 11, 28, 23, 50)
    assert clock_in(300.0, now) == "23:55"
    assert clock_in(900.0, now) == "2026-11-29 00:05"


def test_a_mean_forgets():
    mean = ForgettingMean(2)
    for value in (1.0, 3.0, 4.0):
        mean.note(value)
    assert mean.value == 3.0  # 2, and half of the way to 4


def spent(clock: Any, budget: Budget, steps: int, *, step: float, validation: float = 0.0, every: int = 10):
    """The estimate after so many steps of a budget."""
    budget.start()
    left = TimeLeft(budget)
    left.start(0)
    for number in range(1, steps + 1):
        clock.now += step if number > 1 else 50 * step  # the first is slow
        left.end_step()
        if validation and number % every == 0:
            left.start_validation()
            clock.now += validation
            left.end_validation(number)
    return left


def test_steps_that_are_left_take_what_steps_took(clock):
    left = spent(clock, Budget(max_steps=100), 20, step=0.5)
    assert left.seconds(20) == pytest.approx(80 * 0.5)
    assert not left.knows_validations


def test_validations_count(clock):
    left = spent(clock, Budget(max_steps=100), 20, step=0.5, validation=10.0)
    assert left.seconds(20) == pytest.approx(80 * (0.5 + 1.0))
    assert left.knows_validations


def test_minutes_end_when_they_end_whatever_steps_take(clock):
    left = spent(clock, Budget(max_minutes=2.0), 20, step=1.0)
    assert left.seconds(20) == pytest.approx(120 - 50 - 19)
    validated = spent(clock, Budget(max_minutes=10.0), 20, step=1.0, validation=10.0)
    assert validated.seconds(20) == pytest.approx(2 * (600 - validated.budget.seconds))  # which count training alone
    both = spent(clock, Budget(max_minutes=60.0, max_steps=30), 20, step=1.0)
    assert both.seconds(20) == pytest.approx(10)


def test_after_one_step_it_is_too_early_to_tell(clock):
    assert spent(clock, Budget(max_steps=100), 1, step=1.0).seconds(1) is None


# Windows and lines


def test_a_window_has_the_mean_loss_and_the_rate_without_pauses(clock):
    window = Window()
    window.start()
    for loss in (1.0, 2.0, math.nan):
        clock.now += 2
        window.note(torch.tensor(loss), 30.0)
    window.pause()
    clock.now += 100
    window.start()
    clock.now += 4
    assert window.read() == WindowMeans(1.5, 9.0)
    clock.now += 1
    window.note(torch.tensor(5.0), 7.0)
    assert window.read() == WindowMeans(5.0, 7.0)


def test_a_step_is_a_line():
    line = step_line(1240, 0.31, WindowMeans(1.2345, 12345.6), 0.00312, 185.0)
    assert line == "step   1240   31 %  loss 1.234  12,346 tokens/s  learning rate 0.0031  3 min 05 s left"
    assert step_line(1, 0.0, WindowMeans(1.0, 1.0), 1e-5, None).endswith("learning rate 1e-05")


def test_a_validation_is_a_line():
    scores = {"dev/loss": 1.234, "dev/wer": 45.678}
    assert validation_line(400, 125.9, scores, best=True) == "step    400  02:05  dev/loss 1.23  dev/wer 45.68  best"
    assert validation_line(400, 125.9, scores, best=False).endswith("dev/wer 45.68")


# In a run


def test_without_a_terminal_there_is_a_line_every_so_many_seconds(new_module, fit, clock):
    progress = on(False, every_seconds=4.0)
    module = new_module(budget=Budget(max_steps=10), schedule=ConstantSchedule(warmup_steps=0))
    fit(module, Passing(clock, 1.0), progress)
    lines = steps_of(progress)
    assert [line.split()[1] for line in lines] == ["4", "8"]
    assert re.fullmatch(r"step      4   40 %  loss \d\.\d{3}  \d+ tokens/s  learning rate 0\.01  6 s left", lines[0])
    assert lines[1].endswith("2 s left")


def test_the_loss_of_a_line_is_the_mean_of_all_steps_since_the_last(new_module, fit, clock):
    losses = []

    class Losses(lightning.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_) -> None:
            losses.append(float(pl_module.step_loss))

    progress = on(False, every_seconds=3.0)
    fit(new_module(budget=Budget(max_steps=6)), Passing(clock, 1.0), progress, Losses())
    shown = [float(re.search(r"loss (\S+)", line)[1]) for line in steps_of(progress)]
    assert shown == pytest.approx([sum(losses[:3]) / 3, sum(losses[3:]) / 3], abs=1e-3)


def test_a_loss_is_that_of_a_step_of_several_batches(new_module, fit, clock):
    progress = on(False, every_seconds=1.0)
    fit(new_module(budget=Budget(max_steps=2)), Passing(clock, 1.0), progress, accumulate_grad_batches=2)
    first, second = (float(re.search(r"loss (\S+)", line)[1]) for line in steps_of(progress))
    assert 1.5 < second < first < 4  # of a token; not half of it


@pytest.mark.parametrize("terminal", [False, True])
def test_after_20_steps_it_is_said_once_when_training_ends(new_module, fit, clock, terminal):
    progress = on(terminal, every_seconds=1e9, width=200)
    fit(new_module(budget=Budget(max_steps=60)), Passing(clock, 3.0), progress)
    (line,) = [line for line in said(progress) if "to go" in line]
    assert re.search(r"20 steps: about 2 min 00 s to go, until (\S+ )?\d\d:\d\d, validations not counted yet", line)


def test_validations_count_as_soon_as_there_was_one(new_module, fit, clock):
    progress = on(False, every_seconds=1e9)
    fit(new_module(budget=Budget(max_steps=60)), Passing(clock, 3.0, 10.0), progress, val_check_interval=10)
    (line,) = [line for line in said(progress) if "to go" in line]
    assert line.startswith("20 steps: about 2 min 40 s to go, until ")  # 40 steps of 3 s, and one each of 1 s
    assert line[-3] == ":"


def test_the_bar_has_the_loss_and_the_time_left(new_module, fit, clock):
    progress = on(True, width=200, refresh_every=1)
    fit(new_module(budget=Budget(max_steps=5)), Passing(clock, 1.0), progress, log_every_n_steps=2)
    shown = progress.console.file.getvalue()
    assert re.search(r"0 s left \| step 5 \| epoch \d+ \| [\d,]+ tokens/s \| loss \d\.\d{3}", shown)
    assert "step      4" not in shown  # no line beside the bar


@pytest.mark.parametrize("width", [5, 20, 80])
def test_a_validation_is_one_line_whatever_the_width(new_module, fit, width):
    progress = on(False, width=width)
    fit(new_module(budget=Budget(max_steps=2)), progress, val_check_interval=1)
    lines = said(progress)
    assert [line.split()[1] for line in lines] == ["1", "2"]
    assert all(re.search(r"dev/loss \d+\.\d\d  dev/exact_match \d+\.\d\d$", line) for line in lines)


@pytest.mark.parametrize("width", [16, 30, 47])
def test_no_number_is_broken_in_a_narrow_terminal(new_module, fit, width):
    progress = on(True, width=width)
    fit(new_module(budget=Budget(max_steps=1)), progress, val_check_interval=1)
    words = re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\r", " ", progress.console.file.getvalue()).split()
    assert re.fullmatch(r"\d+\.\d\d", words[words.index("dev/loss") + 1])
    assert re.fullmatch(r"\d+\.\d\d", words[words.index("dev/exact_match") + 1])


def test_the_best_validation_so_far_is_marked(new_module, fit, tmp_path):
    progress = on(False)
    best = BestCheckpoint(dirpath=tmp_path, filename="best", monitor="dev/loss", mode="min")
    module = new_module(budget=Budget(max_steps=4), schedule=Lines([1.0, 1.0, -20.0, 1.0]), average_decay=0.0)
    fit(module, progress, best, val_check_interval=1, enable_checkpointing=True)
    losses = [float(re.search(r"dev/loss (\S+)", line)[1]) for line in said(progress)]
    assert losses[2] > losses[1]  # a step uphill
    marked = [line.endswith("  best") for line in said(progress)]
    assert marked[:3] == [True, True, False]
    assert marked[3] == (losses[3] <= losses[1])


class Lines(ConstantSchedule):
    """Factors by step."""

    def __init__(self, factors: list[float]) -> None:
        super().__init__(warmup_steps=0)
        self.factors = factors

    def decay(self, step: int, spent: float) -> float:
        return self.factors[step]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_seconds": 0.0}, "every_seconds must be above 0, but is 0.0."),
        ({"refresh_every": -1}, "refresh_every must be above 0, but is -1."),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(UserError) as error:
        BudgetProgress(**options)
    assert str(error.value) == message
