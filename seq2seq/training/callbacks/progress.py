"""A progress bar over the whole budget, with an estimate of the time that is left."""

import sys
from typing import Any

import pytorch_lightning as lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class BudgetProgress(lightning.Callback):
    """A bar on stderr, and a line for every validation."""

    def __init__(self, *, refresh_every: int = 5) -> None:
        self.refresh_every = refresh_every
        self.console = Console(file=sys.stderr)
        self.bar: Progress | None = None
        self._speed, self._next_read = "", 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        columns = (
            TextColumn("training"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.description}"),
        )
        self.bar = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self.bar.add_task("", total=1.0)
        self.bar.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.bar and not self.bar.disable and trainer.global_step % self.refresh_every == 0:
            self._read_speed(trainer)
            description = f"step {trainer.global_step} | epoch {trainer.current_epoch}{self._speed}"
            self.bar.update(self.bar.task_ids[0], completed=pl_module.spent, description=description)

    def _read_speed(self, trainer: lightning.Trainer) -> None:
        if trainer.global_step < self._next_read:
            return  # to read metrics is to wait for the device, and there is a new one only where they are logged
        rate = trainer.callback_metrics.get("train/target_tokens_per_second")
        if rate is not None:
            self._speed = f" | {float(rate):,.0f} tokens/s"
            self._next_read = trainer.global_step + trainer.log_every_n_steps  # type: ignore[attr-defined]

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        scores = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("dev/")}
        minutes, seconds = divmod(int(pl_module.budget.seconds), 60)
        rows = "  ".join(f"{name} {value:.2f}" for name, value in scores.items())
        self.console.print(f"step {trainer.global_step:>6}  {minutes:02}:{seconds:02}  {rows}", highlight=False)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._close()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self.bar:
            self.bar.stop()
            self.bar = None
