"""Lines that tell how training goes, and what is gathered between two of them."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq.training.time_left import duration


@dataclass(frozen=True)
class WindowMeans:
    """The mean loss of some steps, and the target tokens per second in them, validations left out."""

    loss: float
    tokens_per_second: float


class Window:
    """The steps since the last reading. Losses stay on their device until `read`, which waits for it."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._clear()

    def _clear(self) -> None:
        self._tokens, self._seconds = 0.0, 0.0
        self._losses: Tensor | None = None
        self._finite: Tensor | None = None

    def start(self) -> None:
        """Let the clock run, if it does not."""
        self._since = time.monotonic() if self._since is None else self._since

    def pause(self) -> None:
        """Stop the clock until the next `start`."""
        self._seconds, self._since = self._elapsed(), None

    def note(self, loss: Tensor, tokens: float) -> None:
        """Take in a step; a loss that is not finite is left out of the mean."""
        finite = loss.isfinite()
        loss = torch.where(finite, loss, 0.0)
        self._losses = loss if self._losses is None else self._losses + loss
        self._finite = finite.long() if self._finite is None else self._finite + finite
        self._tokens += tokens

    def read(self) -> WindowMeans:
        """The reading of all steps since the last, with which the next begins."""
        loss = math.nan
        if self._losses is not None and self._finite is not None:
            total, count = torch.stack([self._losses.double(), self._finite.double()]).tolist()
            loss = total / count if count else math.nan
        found = WindowMeans(loss, self._tokens / max(self._elapsed(), 1e-9))
        self._clear()
        self._since = None if self._since is None else time.monotonic()
        return found

    def _elapsed(self) -> float:
        return self._seconds + (0.0 if self._since is None else time.monotonic() - self._since)


def step_line(step: int, spent: float, reading: WindowMeans, learning_rate: float, left: float | None) -> str:
    """The line of a step: the share of the budget, the loss, the speed, the learning rate, and the time left."""
    parts = [
        f"step {step:>6}",
        f"{100 * spent:3.0f} %",
        f"loss {reading.loss:.3f}",
        f"{reading.tokens_per_second:,.0f} tokens/s",
        f"learning rate {learning_rate:.2g}",
    ]
    return "  ".join(parts + ([] if left is None else [f"{duration(left)} left"]))


def validation_line(step: int, seconds: float, scores: Mapping[str, float], *, best: bool) -> str:
    """The line of a validation: the minutes trained, every dev score, and whether it is the best so far."""
    minutes, rest = divmod(int(seconds), 60)
    rows = [f"{name} {value:.2f}" for name, value in scores.items()]
    return "  ".join([f"step {step:>6}", f"{minutes:02}:{rest:02}", *rows, *(["best"] if best else [])])
