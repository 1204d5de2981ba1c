"""Learning-rate factors against literals."""

import pytest

from seq2seq.errors import UserError
from seq2seq.training.plateau import PlateauSchedule
from seq2seq.training.schedules import (
    ConstantSchedule,
    CosineRestartsSchedule,
    CosineSchedule,
    InverseSquareRootSchedule,
    LinearSchedule,
    OneCycleSchedule,
)


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


EVERY = [
    ConstantSchedule,
    CosineRestartsSchedule,
    CosineSchedule,
    InverseSquareRootSchedule,
    LinearSchedule,
    OneCycleSchedule,
    PlateauSchedule,
]


@pytest.mark.parametrize("schedule", EVERY)
def test_negative_warm_up_is_refused(schedule):
    with pytest.raises(UserError) as error:
        schedule(warmup_steps=-1)
    assert str(error.value) == "warmup_steps must be at least 0, but is -1."


@pytest.mark.parametrize("schedule", [CosineSchedule, CosineRestartsSchedule, LinearSchedule])
@pytest.mark.parametrize("final", [-0.1, 1.1])
def test_final_outside_its_range_is_refused(schedule, final):
    with pytest.raises(UserError) as error:
        schedule(warmup_steps=0, final=final)
    assert str(error.value) == f"final must be between 0 and 1, but is {final}."


@pytest.mark.parametrize(("spent", "factor"), [(0.0, 1.0), (0.25, 0.8), (0.5, 0.6), (1.0, 0.2), (2.0, 0.2)])
def test_linear_is_a_line_to_final(spent, factor):
    assert LinearSchedule(warmup_steps=0, final=0.2).factor(7, spent) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("spent", "factor"),
    [(0.0, 0.1), (0.2, 0.55), (0.4, 1.0), (0.6, 0.55), (0.8, 0.1), (0.9, 0.06), (1.0, 0.02), (1.5, 0.02)],
)
def test_one_cycle_goes_up_and_down_and_then_below(spent, factor):
    assert OneCycleSchedule(rise=0.4, start=0.1, final=0.02).factor(0, spent) == pytest.approx(factor)


def test_one_cycle_may_end_with_its_fall():
    assert OneCycleSchedule(rise=0.5, start=0.1).factor(0, 1.0) == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("spent", "factor"), [(0.0, 1.0), (0.125, 0.5), (0.2499, 0.0), (0.25, 1.0), (0.375, 0.5), (0.75, 1.0), (1.0, 0.0)]
)
def test_restarts_begin_at_1_again(spent, factor):
    assert CosineRestartsSchedule(warmup_steps=0).factor(9, spent) == pytest.approx(factor, abs=1e-4)


@pytest.mark.parametrize(("spent", "factor"), [(0.0, 1.0), (1 / 14, 0.5), (1 / 7, 1.0), (2 / 7, 0.5), (3 / 7, 1.0)])
def test_cycles_may_grow(spent, factor):
    """Of three that double, the first takes a seventh."""
    schedule = CosineRestartsSchedule(warmup_steps=0, cycles=3, growth=2.0)
    assert schedule.factor(9, spent + 1e-12) == pytest.approx(factor)


def test_one_cycle_of_cosine_restarts_is_the_cosine():
    for spent in (0.0, 0.3, 1.0):
        single = CosineRestartsSchedule(final=0.1, cycles=1).factor(700, spent)
        assert single == pytest.approx(CosineSchedule(final=0.1).factor(700, spent))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CosineRestartsSchedule(cycles=0), "cycles must be at least 1, but is 0."),
        (lambda: CosineRestartsSchedule(growth=0.0), "growth must be above 0, but is 0.0: 1.0 makes all cycles"),
        (lambda: CosineRestartsSchedule(growth=1e30, cycles=20), "growth must leave each of 20 cycles a share of the"),
        (lambda: CosineRestartsSchedule(growth=1e-30, cycles=20), "growth must leave each of 20 cycles a share of the"),
        (lambda: OneCycleSchedule(rise=0.0), "rise must be above 0 and at most 0.5, but is 0.0: down takes"),
        (lambda: OneCycleSchedule(start=1.0), "start must be above 0 and below 1, but is 1.0."),
        (lambda: OneCycleSchedule(final=0.2), "final must be between 0 and start=0.1, but is 0.2."),
        (lambda: PlateauSchedule(shrink=1.0), "shrink must be above 0 and below 1, but is 1.0: a rate that stays"),
        (lambda: PlateauSchedule(patience=0), "patience must be at least 1, but is 0."),
        (lambda: PlateauSchedule(threshold=-1.0), "threshold must be at least 0, but is -1.0."),
        (lambda: PlateauSchedule(lowest=0.0), "lowest must be above 0 and at most 1, but is 0.0."),
        (lambda: PlateauSchedule(mode="up"), "mode must be max or min, but is 'up'."),
    ],
)
def test_options_outside_their_ranges_are_refused(make, message):
    with pytest.raises(UserError) as error:
        make()
    assert str(error.value).startswith(message)


# ---- Plateau


def factors(schedule: PlateauSchedule, *scores: float) -> list[float]:
    found = []
    for score in scores:
        schedule.note({"dev/wer": score})
        found.append(schedule.factor(0, 0.0))
    return found


def plateau(**options) -> PlateauSchedule:
    return PlateauSchedule(**{"warmup_steps": 0, "monitor": "dev/wer", "mode": "min", "patience": 2} | options)


def test_the_rate_falls_after_validations_without_a_better_score():
    assert factors(plateau(), 9.0, 9.0, 8.0, 8.5, 8.0, 8.0, 8.0, 7.0) == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def test_higher_may_be_better():
    assert factors(plateau(mode="max"), 1.0, 2.0, 3.0, 2.0, 2.5) == [1, 1, 1, 1, 0.5]


def test_what_is_hardly_better_does_not_count():
    assert factors(plateau(threshold=0.2), 9.0, 8.9, 8.81, 8.79) == [1, 1, 0.5, 0.5]


def test_a_score_that_is_not_finite_is_not_better():
    for mode in ("min", "max"):
        assert factors(plateau(mode=mode), float("nan"), float("inf"), float("nan")) == [1, 1, 0.5]


def test_the_rate_stays_at_the_lowest():
    assert factors(plateau(patience=1, lowest=0.2), *[1.0] * 5) == [1, 0.5, 0.25, 0.2, 0.2]


def test_a_plateau_goes_on_where_it_was():
    first, second = plateau(), plateau()
    factors(first, 9.0, 9.0)
    second.load_state_dict(first.state_dict())
    assert factors(second, 9.0) == factors(first, 9.0) == [0.5]


def test_a_score_that_there_is_not_is_named():
    with pytest.raises(UserError) as error:
        plateau().note({"dev/loss": 1.0})
    assert str(error.value) == "monitor must be one of dev/loss, but is 'dev/wer'."
