"""Learning-rate factors as pure functions of the step and of the share of the budget that is spent."""

import math
from abc import ABC, abstractmethod

from seq2seq.errors import UserError


class Schedule(ABC):
    """A factor for the optimizer's learning rate: linear warm-up, then what the subclass says."""

    def __init__(self, *, warmup_steps: int = 400) -> None:
        if warmup_steps < 0:
            raise UserError(f"warmup_steps must be at least 0, but is {warmup_steps}.")
        self.warmup_steps = warmup_steps

    def factor(self, step: int, spent: float) -> float:
        """The factor at a step, counted from 0; `spent` is the share of max_steps or max_minutes, in [0, 1]."""
        return min(1.0, (step + 1) / (self.warmup_steps + 1)) * self.decay(step, spent)

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
        if not 0 <= final <= 1:
            raise UserError(f"final must be between 0 and 1, but is {final}.")
        self.final = final

    def decay(self, step: int, spent: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * min(spent, 1.0))) / 2


class InverseSquareRootSchedule(Schedule):
    """The inverse square root, sqrt(warmup / step), after the warm-up (Vaswani et al. 2017); needs no budget."""

    def decay(self, step: int, spent: float) -> float:
        return math.sqrt((self.warmup_steps + 1) / max(step + 1, self.warmup_steps + 1))
