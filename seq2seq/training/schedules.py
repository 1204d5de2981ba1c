"""Learning-rate factors as pure functions of the step and of the share of the budget that is spent."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from seq2seq.errors import UserError, check_finite


class Schedule(ABC):
    """A factor for the optimizer's learning rate: linear warm-up, then what the subclass says."""

    def __init__(self, *, warmup_steps: int = 400) -> None:
        if warmup_steps < 0:
            raise UserError(f"warmup_steps must be at least 0, but is {warmup_steps}.")
        self.warmup_steps = warmup_steps

    def factor(self, step: int, spent: float) -> float:
        """The factor at a step, counted from 0; `spent` is the share of max_steps or max_minutes, in [0, 1]."""
        return min(1.0, (step + 1) / (self.warmup_steps + 1)) * self.decay(step, spent)

    def note(self, scores: Mapping[str, float]) -> None:  # noqa: B027  (most schedules are functions of the step)
        """Take in the scores of a validation."""

    def begin_anew(self) -> None:  # noqa: B027
        """Forget the scores so far: they were of another kind of model."""

    def state_dict(self) -> dict[str, Any]:
        """Counts of validations so far, for a checkpoint; empty where nothing counts them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Take up what an interrupted run left."""

    @abstractmethod
    def decay(self, step: int, spent: float) -> float:
        """The factor without the warm-up's."""


class ConstantSchedule(Schedule):
    """A factor of 1 after the warm-up."""

    def decay(self, step: int, spent: float) -> float:
        return 1.0


class CosineSchedule(Schedule):
    """A half cosine from 1 to `final` over the whole budget, in steps or in time (Loshchilov & Hutter 2017)."""

    def __init__(self, *, warmup_steps: int = 400, final: float = 0.0) -> None:
        super().__init__(warmup_steps=warmup_steps)
        self.final = _share(final)

    def decay(self, step: int, spent: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * min(spent, 1.0))) / 2


class CosineRestartsSchedule(Schedule):
    """Factors by several half cosines from 1 to `final` (Loshchilov & Hutter 2017, "SGDR").

    Each is `growth` times as long as the one before. Together they take the whole budget, in steps or in time.
    Raises UserError below one cycle or outside of ranges.
    """

    def __init__(self, *, warmup_steps: int = 400, final: float = 0.0, cycles: int = 4, growth: float = 1.0) -> None:
        super().__init__(warmup_steps=warmup_steps)
        self.final = _share(final)
        if cycles < 1:
            raise UserError(f"cycles must be at least 1, but is {cycles}.")
        if not 0 < growth < math.inf:
            raise UserError(f"growth must be above 0, but is {growth}: 1.0 makes all cycles equally long.")
        check_finite(growth=growth)
        try:
            self.lengths = [growth**cycle / sum(growth**other for other in range(cycles)) for cycle in range(cycles)]
        except OverflowError:
            self.lengths = [0.0]  # the longest has no number, beside which the first is none
        if 0.0 in self.lengths:
            raise UserError(
                f"growth must leave each of {cycles} cycles a share of the budget, but is {growth}: choose one nearer "
                "to 1, or fewer cycles."
            )

    def decay(self, step: int, spent: float) -> float:
        rest = min(spent, 1.0)
        for length in self.lengths[:-1]:
            if rest < length:
                break
            rest -= length
        else:
            length = self.lengths[-1]
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * min(rest / length, 1.0))) / 2


class LinearSchedule(Schedule):
    """A line from 1 to `final` over the whole budget, in steps or in time."""

    def __init__(self, *, warmup_steps: int = 400, final: float = 0.0) -> None:
        super().__init__(warmup_steps=warmup_steps)
        self.final = _share(final)

    def decay(self, step: int, spent: float) -> float:
        return 1 + (self.final - 1) * min(spent, 1.0)


class OneCycleSchedule(Schedule):
    """A cycle over the budget (Smith & Topin 2018): up from `start` to 1, down to it again, and then to `final`.

    Up and down each take `rise` of the budget, in steps or in time; momentum stays as it is. The rise is a warm-up, so
    there are no more steps of one unless they are asked for. Raises UserError outside of ranges.
    """

    def __init__(self, *, warmup_steps: int = 0, rise: float = 0.45, start: float = 0.1, final: float = 0.001) -> None:
        super().__init__(warmup_steps=warmup_steps)
        if not 0 < rise <= 0.5:
            raise UserError(f"rise must be above 0 and at most 0.5, but is {rise}: down takes as long as up.")
        if not 0 < start < 1:
            raise UserError(f"start must be above 0 and below 1, but is {start}.")
        if not 0 <= final <= start:
            raise UserError(f"final must be between 0 and start={start}, but is {final}.")
        self.rise, self.start, self.final = rise, start, final

    def decay(self, step: int, spent: float) -> float:
        if spent <= self.rise:
            return self.start + (1 - self.start) * spent / self.rise
        if spent < 2 * self.rise:
            return 1 - (1 - self.start) * (spent - self.rise) / self.rise
        end = 1 - 2 * self.rise
        passed = min(1.0, (spent - 2 * self.rise) / end) if end else 1.0
        return self.start + (self.final - self.start) * passed


class InverseSquareRootSchedule(Schedule):
    """The inverse square root, sqrt(warmup / step), after the warm-up (Vaswani et al. 2017); needs no budget."""

    def decay(self, step: int, spent: float) -> float:
        return math.sqrt((self.warmup_steps + 1) / max(step + 1, self.warmup_steps + 1))


def _share(final: float) -> float:
    """The value of `final`. Raises UserError outside of [0, 1]."""
    if not 0 <= final <= 1:
        raise UserError(f"final must be between 0 and 1, but is {final}.")
    return final
