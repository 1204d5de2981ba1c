"""The way through the budget on stderr, with an estimate of the time that is left."""

import sys
import time
from datetime import datetime
from typing import Any

import pytorch_lightning as lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError, check_finite
from seq2seq.training.callbacks.progress_line import Window, WindowMeans, step_line, validation_line
from seq2seq.training.checkpoints import improves
from seq2seq.training.time_left import TimeLeft, clock_in, duration
from seq2seq.training.windows import ends_window

_FIRST_STEPS = 20  # after which it is said how long training will take


class BudgetProgress(lightning.Callback):
    """A bar in a terminal, elsewhere a line every `every_seconds`; and a line for every validation.

    After 20 steps it says when training will end. Raises UserError if an option is not above 0.
    """

    def __init__(self, *, refresh_every: int = 5, every_seconds: float = 20.0) -> None:
        check_finite(every_seconds=every_seconds)
        for name, value in (("refresh_every", refresh_every), ("every_seconds", every_seconds)):
            if value <= 0:
                raise UserError(f"{name} must be above 0, but is {value}.")
        self.refresh_every, self.every_seconds = refresh_every, every_seconds
        self.console = Console(file=sys.stderr, highlight=False, markup=False)
        self.bar: Progress | None = None
        self._reading: WindowMeans | None = None
        self._first = self._next_read = 0  # steps
        self._said = 0.0  # when the last line was

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        self.left, self.window = TimeLeft(pl_module.budget), Window()
        self.left.start(trainer.global_step)
        self._first, self._said = trainer.global_step, time.monotonic()
        self._next_read = _next_logged(trainer)
        if not self.console.is_terminal:
            return
        columns = TextColumn("training"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
        self.bar = Progress(*columns, TextColumn("{task.description}"), console=self.console)
        self.bar.add_task("", total=1.0)
        self.bar.start()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        if trainer.is_global_zero:
            self.window.start()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if not trainer.is_global_zero or not ends_window(trainer, batch_idx):
            return
        self.window.note(pl_module.step_loss, batch.step_tokens)
        self.left.end_step()
        if trainer.global_step == self._first + _FIRST_STEPS:
            self._say_when_it_ends(trainer.global_step)
        if self.bar:
            if trainer.global_step % self.refresh_every == 0:
                self._move_bar(self.bar, trainer, pl_module.spent)
        elif time.monotonic() - self._said >= self.every_seconds:
            self._say_step(trainer, pl_module)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.is_global_zero:
            self.window.pause()
            self.left.start_validation()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        self.left.end_validation(trainer.global_step)
        scores = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("dev/")}
        best = improves(trainer)
        self._print(validation_line(trainer.global_step, pl_module.budget.seconds, scores, best=best))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._close()

    def _say_when_it_ends(self, step: int) -> None:
        left = self.left.seconds(step)
        if left:
            end = clock_in(left, datetime.now())
            more = "" if self.left.knows_validations else ", validations not counted yet"
            self._print(f"{_FIRST_STEPS} steps: about {duration(left)} to go, until {end}{more}")

    def _say_step(self, trainer: Any, module: Any) -> None:
        step, rate = trainer.global_step, trainer.optimizers[0].param_groups[0]["lr"]
        spent, left = module.budget.spent(step), self.left.seconds(step)
        self._print(step_line(step, spent, self.window.read(), rate, left))
        self._said = time.monotonic()

    def _move_bar(self, bar: Progress, trainer: Any, spent: float) -> None:
        step = trainer.global_step
        if step >= self._next_read:  # to read is to wait for the device: as often as what is logged
            self._reading, self._next_read = self.window.read(), _next_logged(trainer)
        parts = [f"step {step}", f"epoch {trainer.current_epoch}"]
        if self._reading:
            parts += [f"{self._reading.tokens_per_second:,.0f} tokens/s", f"loss {self._reading.loss:.3f}"]
        if (left := self.left.seconds(step)) is not None:
            parts.insert(0, f"{duration(left)} left")
        bar.update(bar.task_ids[0], completed=spent, description=" | ".join(parts))

    def _print(self, line: str) -> None:
        """Print a line: in a terminal, above the bar and broken between words; elsewhere whole, however long it is."""
        self.console.print(line, soft_wrap=not self.console.is_terminal)

    def _close(self) -> None:
        if self.bar:
            self.bar.stop()
            self.bar = None


def _next_logged(trainer: Any) -> int:
    """The next step that is logged."""
    return (trainer.global_step // trainer.log_every_n_steps + 1) * trainer.log_every_n_steps
