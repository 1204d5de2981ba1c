"""Steps, minutes, or whichever ends first."""

import pytest

from seq2seq.errors import UserError
from seq2seq.training.budget import Budget


@pytest.mark.parametrize(("step", "spent"), [(0, 0.0), (1, 0.125), (4, 0.5), (8, 1.0), (9, 1.0)])
def test_steps_alone_never_look_at_the_clock(clock, step, spent):
    budget = Budget(max_steps=8)
    budget.start()
    clock.now += 1e6
    assert budget.spent(step) == spent


@pytest.mark.parametrize(("seconds", "spent"), [(0, 0.0), (30, 0.25), (60, 0.5), (120, 1.0), (500, 1.0)])
def test_minutes_alone_never_look_at_the_steps(clock, seconds, spent):
    budget = Budget(max_minutes=2.0)
    budget.start()
    clock.now += seconds
    assert budget.spent(10**9) == spent
    assert budget.seconds == seconds


@pytest.mark.parametrize(("step", "seconds", "spent"), [(6, 30, 0.75), (2, 60, 0.5), (8, 0, 1.0), (0, 120, 1.0)])
def test_whichever_is_further_counts(clock, step, seconds, spent):
    budget = Budget(max_steps=8, max_minutes=2.0)
    budget.start()
    clock.now += seconds
    assert budget.spent(step) == spent


def test_a_restored_budget_counts_on_and_leaves_out_the_pause(clock):
    first = Budget(max_minutes=2.0)
    first.start()
    clock.now += 45
    seconds = first.seconds
    clock.now += 10_000
    second = Budget(max_minutes=2.0)
    second.restore(seconds)
    assert second.seconds == 45
    second.start()
    clock.now += 15
    assert second.seconds == 60
    assert second.spent(0) == 0.5


def test_no_time_passes_before_the_start(clock):
    budget = Budget(max_minutes=2.0)
    clock.now += 60
    assert budget.seconds == 0


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"max_steps": 5}, "max_steps=5"),
        ({"max_minutes": 0.5}, "max_minutes=0.5"),
        ({"max_steps": 5, "max_minutes": 2.0}, "max_steps=5, max_minutes=2"),
    ],
)
def test_it_names_its_limits(limits, text):
    assert str(Budget(**limits)) == text


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "max_steps or max_minutes must be set, but both are null."),
        ({"max_steps": 0}, "max_steps must be above 0, but is 0."),
        ({"max_minutes": -1.0}, "max_minutes must be above 0, but is -1.0."),
        ({"max_steps": 3, "max_minutes": 0.0}, "max_minutes must be above 0, but is 0.0."),
    ],
)
def test_a_budget_without_end_or_room_is_refused(limits, message):
    with pytest.raises(UserError) as error:
        Budget(**limits)
    assert str(error.value) == message


def test_a_stopped_clock_stands_until_it_is_started_again(clock):
    budget = Budget(max_minutes=2.0)
    budget.start()
    clock.now += 30
    budget.stop()
    clock.now += 1000
    assert budget.seconds == 30
    budget.start()
    clock.now += 30
    assert budget.spent(0) == 0.5
