"""The learning rate that a growing one suggests."""

import math
from functools import partial

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.training.lr_finder import RateCurve, RateRange, find_learning_rate
from seq2seq.training.schedules import ConstantSchedule
from seq2seq.training.step import TrainingStep
from seq2seq.training.windows import endless_windows

CPU = torch.device("cpu")
TINY = RateRange(steps=30, lowest=1e-4, highest=10.0)
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


@pytest.fixture
def new_step(new_module, new_data):
    """A step, and the windows that it can take: new_step(window=2, optimizer=...)."""

    def build(window: int = 1, **changes):
        return new_module(**changes).step, endless_windows(new_data(), window, CPU)

    return build


# Suggestions


def curve(loss, steps: int = 300) -> RateCurve:
    """The curve of a function of the rate's decimal logarithm."""
    options = RateRange(steps=steps)
    rates = [options.rate(step) for step in range(steps)]
    return RateCurve(rates, [loss(math.log10(rate)) for rate in rates])


def fall_and_rise(middle: float, rise: float, noise: float = 0.0):
    """A loss that falls from 5 to 1 around a rate, and rises beyond another."""
    draw = torch.Generator().manual_seed(1)

    def loss(decade: float) -> float:
        down = 1 + 4 / (1 + math.exp(6 * (decade - middle)))
        return down + max(0.0, decade - rise) * 8 + noise * float(torch.randn((), generator=draw))

    return loss


def test_rates_are_geometric_and_end_where_they_should():
    options = RateRange(steps=21, lowest=1e-3, highest=10.0)
    assert options.rate(0) == pytest.approx(1e-3)
    assert options.rate(10) == pytest.approx(0.1)
    assert options.rate(20) == pytest.approx(10.0)


@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_the_rate_is_where_the_loss_falls_steepest(noise):
    found = curve(fall_and_rise(-3.0, -1.0, noise))
    assert math.log10(found.suggestion) == pytest.approx(-3.0, abs=0.3)


def test_the_rate_is_a_third_of_where_the_loss_rises_at_most():
    found = curve(fall_and_rise(-2.0, -1.95))
    assert found.suggestion == pytest.approx(found.rising / 3)
    assert found.suggestion < 10**-2.2


@pytest.mark.parametrize("loss", [lambda decade: 3.0, lambda decade: 8 + decade])
def test_a_loss_that_falls_nowhere_suggests_nothing(loss):
    with pytest.raises(UserError, match=r"^lowest=1e-05 and highest=1 must hold rates at which the loss falls, but"):
        _ = curve(loss).suggestion


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 19}, "steps must be at least 20, but is 19."),
        ({"lowest": 0.0}, "lowest must be above 0 and below highest=1.0, but is 0.0."),
        ({"lowest": 2.0}, "lowest must be above 0 and below highest=1.0, but is 2.0."),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(UserError) as error:
        RateRange(**options)
    assert str(error.value) == message


# Steps


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_all_is_as_before_to_the_bit(new_step, copied, kind):
    step, windows = new_step(optimizer=partial(OPTIMIZERS[kind], lr=0.01), sizes={"dropout": 0.3})
    optimizer = step.new_optimizer()
    for number in range(3):  # what an optimizer and an average gather
        (batch,) = next(windows)
        step.take(batch, optimizer, step=number, spent=0.0)
    step.loss(batch, step=3, spent=0.0).backward()
    step.model.eval()
    random = torch.get_rng_state()
    parts = step.schedule, step.average
    weights, average = copied(step.model), {name: one.clone() for name, one in step.average.weights.items()}
    gradients = [weight.grad.clone() for weight in step.model.parameters()]
    state = str(optimizer.state_dict())
    curve = find_learning_rate(step, windows, TINY)
    assert len(curve.losses) > 3
    assert all(torch.equal(weights[name], weight) for name, weight in step.model.named_parameters())
    assert all(torch.equal(average[name], weight) for name, weight in step.average.weights.items())
    assert all(torch.equal(one, weight.grad) for one, weight in zip(gradients, step.model.parameters(), strict=True))
    assert torch.equal(random, torch.get_rng_state())
    assert str(optimizer.state_dict()) == state
    assert (step.schedule, step.average, step.average.updates) == (*parts, 3)
    assert not step.model.training


def test_all_is_as_before_where_it_fails(new_step, copied):
    step, _ = new_step()
    weights, schedule = copied(step.model), step.schedule
    with pytest.raises(StopIteration):
        find_learning_rate(step, iter(()), TINY)
    assert step.schedule is schedule
    assert all(torch.equal(weights[name], weight) for name, weight in step.model.named_parameters())


def test_rates_are_the_optimizer_s_whatever_schedule_and_warm_up(new_step, monkeypatch):
    step, windows = new_step(schedule=ConstantSchedule(warmup_steps=1000), optimizer=partial(torch.optim.SGD, lr=7.0))
    seen, begin = [], TrainingStep.begin

    def watching(self, optimizer, **options):
        begin(self, optimizer, **options)
        seen.append(optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(TrainingStep, "begin", watching)
    curve = find_learning_rate(step, windows, TINY)
    assert seen[: len(curve.rates)] == curve.rates == [TINY.rate(place) for place in range(len(curve.rates))]


def test_it_ends_early_where_the_loss_diverges(new_step):
    step, windows = new_step(optimizer=partial(torch.optim.SGD, lr=0.1))
    curve = find_learning_rate(step, windows, RateRange(steps=40, lowest=1e-2, highest=1e6))
    assert 3 <= len(curve.losses) < 40
    assert all(map(math.isfinite, curve.losses))


def test_rates_at_which_nothing_is_stable_are_told(new_step):
    step, windows = new_step()
    step.model.output.bias.data.fill_(math.nan)
    with pytest.raises(UserError, match=r"^lowest=0\.0001 must be a rate at which training is stable, but it diverges"):
        find_learning_rate(step, windows, TINY)


def test_a_window_of_batches_is_one_step(new_step, copied):
    both, windows = new_step(window=2)
    window = first, second = next(windows)
    assert first.step_tokens == second.step_tokens == len(first.target_places) + len(second.target_places)
    expected = sum(float(both.loss(part, step=0, spent=0.0).detach()) for part in window)
    assert float(both.take(window, both.new_optimizer(), step=0, spent=0.0)) == pytest.approx(expected)
    curves = []
    for size in (1, 2):
        step, windows = new_step(window=size)
        curves.append(find_learning_rate(step, windows, TINY))
    assert curves[0].losses[0] == pytest.approx(curves[1].losses[0], rel=0.1)  # of a token, not twice as much
    assert curves[0].losses != curves[1].losses
