"""Learning-rate factors against literals."""

import pytest

from seq2seq.errors import UserError
from seq2seq.training.schedules import ConstantSchedule, CosineSchedule, InverseSquareRootSchedule


@pytest.mark.parametrize(("step", "factor"), [(0, 0.25), (1, 0.5), (2, 0.75), (3, 1.0), (4, 1.0), (10_000, 1.0)])
def test_constant_is_one_after_a_linear_warm_up(step, factor):
    assert ConstantSchedule(warmup_steps=3).factor(step, 0.9) == pytest.approx(factor)


@pytest.mark.parametrize(
    "schedule",
    [ConstantSchedule(warmup_steps=0), CosineSchedule(warmup_steps=0), InverseSquareRootSchedule(warmup_steps=0)],
)
def test_without_warm_up_the_first_step_is_whole(schedule):
    assert schedule.factor(0, 0.0) == 1


@pytest.mark.parametrize(
    ("spent", "factor"),
    [(0.0, 1.0), (0.25, 0.853553), (1 / 3, 0.75), (0.5, 0.5), (2 / 3, 0.25), (1.0, 0.0), (1.5, 0.0)],
)
def test_cosine_follows_what_is_spent_of_the_budget(spent, factor):
    assert CosineSchedule(warmup_steps=0).factor(7, spent) == pytest.approx(factor, abs=1e-6)


@pytest.mark.parametrize(("spent", "factor"), [(0.0, 1.0), (0.5, 0.6), (1.0, 0.2), (2.0, 0.2)])
def test_cosine_ends_at_final(spent, factor):
    assert CosineSchedule(warmup_steps=0, final=0.2).factor(7, spent) == pytest.approx(factor)


@pytest.mark.parametrize(("step", "factor"), [(0, 0.25), (1, 0.5), (3, 1.0), (15, 0.5), (63, 0.25), (399, 0.1)])
def test_inverse_square_root_falls_from_the_end_of_the_warm_up(step, factor):
    schedule = InverseSquareRootSchedule(warmup_steps=3)
    assert schedule.factor(step, 0.0) == schedule.factor(step, 1.0) == pytest.approx(factor)


def test_warm_up_multiplies_the_decay():
    assert CosineSchedule(warmup_steps=3).factor(0, 0.5) == pytest.approx(0.125)


@pytest.mark.parametrize("schedule", [ConstantSchedule, CosineSchedule, InverseSquareRootSchedule])
def test_negative_warm_up_is_refused(schedule):
    with pytest.raises(UserError) as error:
        schedule(warmup_steps=-1)
    assert str(error.value) == "warmup_steps must be at least 0, but is -1."


@pytest.mark.parametrize("final", [-0.1, 1.1])
def test_final_outside_its_range_is_refused(final):
    with pytest.raises(UserError) as error:
        CosineSchedule(warmup_steps=0, final=final)
    assert str(error.value) == f"final must be between 0 and 1, but is {final}."
