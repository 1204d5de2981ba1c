"""A learning rate, found by a few hundred steps in which it grows (Smith 2017).

Lightning's tuner does not fit: it sets the rates of the optimizer itself, which every step of ours sets anew.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch.amp.grad_scaler import GradScaler

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError, check_finite
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.schedules import Schedule
from seq2seq.training.step import TrainingStep

_WIDTH = 0.02  # of the smoothing, as a share of all steps
_DIVERGED = 4.0  # times the lowest loss
_SAFE = 3.0  # times below the rate from which the loss rises
_MEMORY = 0.9  # of the mean by which divergence is seen


@dataclass(frozen=True)
class RateRange:
    """The rates to try: geometric from `lowest` to `highest`, one a step. Raises UserError outside of what can be."""

    steps: int = 300
    lowest: float = 1e-5
    highest: float = 1.0

    def __post_init__(self) -> None:
        check_finite(lowest=self.lowest, highest=self.highest)
        if self.steps < 20:
            raise UserError(f"steps must be at least 20, but is {self.steps}.")
        if not 0 < self.lowest < self.highest:
            raise UserError(f"lowest must be above 0 and below highest={self.highest}, but is {self.lowest}.")

    def rate(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        return self.lowest * (self.highest / self.lowest) ** (step / (self.steps - 1))


@dataclass(frozen=True)
class RateCurve:
    """Losses per target token, each at its learning rate."""

    rates: list[float]
    losses: list[float]

    @property
    def smoothed(self) -> list[float]:
        """The losses as means of their neighbours, by a Gaussian that does not lag."""
        places = np.arange(len(self.losses))
        weights = np.exp(-(((places[:, None] - places) / max(1.0, _WIDTH * len(places))) ** 2) / 2)
        return list(weights @ np.array(self.losses) / weights.sum(1))

    @property
    def rising(self) -> float:
        """The rate from which the smoothed loss rises: where it is lowest."""
        return self.rates[int(np.argmin(self.smoothed))]

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls steepest by the logarithm of the rate, a third of `rising` at most.

        Raises UserError if it falls nowhere.
        """
        smoothed = np.array(self.smoothed)
        end = int(np.argmin(smoothed))
        if end < 2 or smoothed[end] > 0.99 * smoothed[0]:
            raise UserError(
                f"lowest={self.rates[0]:.2g} and highest={self.rates[-1]:.2g} must hold rates at which the loss falls, "
                f"but it goes from {smoothed[0]:.2f} to {smoothed[end]:.2f} at best: try others, or look at the data."
            )
        slopes = np.gradient(smoothed[: end + 1], np.log(self.rates[: end + 1]))
        return min(self.rates[int(np.argmin(slopes))], self.rising / _SAFE)


class _Growing(Schedule):
    """A factor that is the rate itself, without any warm-up."""

    def __init__(self, options: RateRange) -> None:
        super().__init__(warmup_steps=0)
        self.options = options

    def decay(self, step: int, spent: float) -> float:
        return self.options.rate(step)


def find_learning_rate(
    step: TrainingStep,
    windows: Iterator[Sequence[Batch]],
    options: RateRange,
    *,
    autocast: Callable[[], AbstractContextManager] = nullcontext,
    scaler: GradScaler | None = None,
) -> RateCurve:
    """The loss of a step at every rate, each step on the batches of a window.

    It ends early where the loss is four times the lowest, or not finite. Model, average and random numbers are as
    before afterwards, to the bit; whatever optimizer they have is not touched. Raises UserError if no step was finite.
    """
    curve = RateCurve([], [])
    mean, lowest = 0.0, math.inf
    with _left_alone(step):
        step.schedule = _Growing(options)
        optimizer = step.new_optimizer()
        for group in optimizer.param_groups:
            group["initial_lr"] = 1.0
        for number in track(range(options.steps), "growing the rate", console=Console(stderr=True), transient=True):
            loss = float(step.take(next(windows), optimizer, step=number, spent=0.0, autocast=autocast, scaler=scaler))
            mean = _MEMORY * mean + (1 - _MEMORY) * loss
            unbiased = mean / (1 - _MEMORY ** (number + 1))
            if not math.isfinite(loss) or unbiased > _DIVERGED * lowest:
                break
            lowest = min(lowest, unbiased)
            curve.rates.append(options.rate(number))
            curve.losses.append(loss)
    if len(curve.losses) < 3:
        raise UserError(
            f"lowest={options.lowest} must be a rate at which training is stable, but it diverges: lower it."
        )
    return curve


@contextmanager
def _left_alone(step: TrainingStep) -> Iterator[None]:
    """Put back all that steps change, when the context ends."""
    model, schedule, average = step.model, step.schedule, step.average
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gradients, training = [weight.grad for weight in model.parameters()], model.training
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        model.zero_grad()
        model.train()
        step.average = WeightAverage(model, 0.0)
        try:
            yield
        finally:
            step.schedule, step.average = schedule, average
            model.load_state_dict(state)
            model.train(training)
            for weight, gradient in zip(model.parameters(), gradients, strict=True):
                weight.grad = gradient
