"""Epochs that differ by the step that they begin at: in their pairs, or in the size of their batches."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from seq2seq.data.batch import PairSequences
from seq2seq.data.batch_growth import BatchGrowth
from seq2seq.data.batching import BatchPlan
from seq2seq.data.curriculum import Curriculum

Drawn = Callable[[int], tuple[PairSequences, BatchPlan]]  # the pairs of an epoch, and a plan of all of them
Epoch = tuple[PairSequences, list[Tensor]]


@dataclass
class Pacing:
    """A curriculum, a growth of batches, or both, for steps of so many batches.

    The step at which an epoch begins follows from the epochs before, and so from the seed alone: a run that is resumed,
    and every process, finds the same. They are planned for it, as long as anything changes.
    """

    curriculum: Curriculum | None = None
    growth: BatchGrowth | None = None
    step_batches: int = 1
    starts: list[int] = field(default_factory=lambda: [0])  # steps that epochs begin at, as far as they are known

    def settled(self, step: int) -> bool:
        """Tell whether epochs that begin at a step or later are all alike."""
        full = self.curriculum is None or step >= self.curriculum.steps
        return full and (self.growth is None or self.growth.ended(step))

    def epoch(self, number: int, drawn: Drawn) -> Epoch:
        """The pairs of an epoch, and its batches of their rows."""
        for earlier in range(len(self.starts) - 1, number):
            if self.settled(self.starts[-1]):
                break
            self._planned(earlier, drawn)
        return self._planned(number, drawn)

    def first_from(self, step: int, drawn: Drawn, limit: int | None) -> tuple[int, int] | None:
        """The first epoch that begins at a step or later, and where it does; None where no such is below the limit."""
        while self.starts[-1] < step and not self.settled(self.starts[-1]):
            if limit is not None and self.starts[-1] >= limit:
                return None
            self._planned(len(self.starts) - 1, drawn)
        number = next(place for place, start in enumerate(self.starts) if start >= step)
        return None if limit is not None and self.starts[number] >= limit else (number, self.starts[number])

    def _planned(self, number: int, drawn: Drawn) -> Epoch:
        step = self.starts[min(number, len(self.starts) - 1)]  # any later one is alike
        pairs, plan = drawn(number)
        rows = None if self.curriculum is None else self.curriculum.admitted(pairs, step, plan.seed)
        if self.growth is not None:
            plan = plan.within(self.growth.grown(plan.budget, step))
        batches = plan.epoch(number, rows)
        if number == len(self.starts) - 1:
            self.starts.append(step + math.ceil(len(batches) / self.step_batches))
        return pairs, batches
