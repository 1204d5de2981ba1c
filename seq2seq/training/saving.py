"""Checkpoints that a run keeps, and when they are saved beside validations."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback

from seq2seq.errors import UserError, check_finite
from seq2seq.training.checkpoints import BestCheckpoint, KeptCheckpoint

_EVERY = re.compile(r"every ([1-9]\d*)")


class CheckpointPolicy:
    """Checkpoints of a run: `last`, `best`, and one of `every N` steps, as step-004000.ckpt, which all stay.

    The last is written at validations, and whenever `every_minutes` of wall time have passed since.
    Raises UserError at other names, without `last`, and at minutes that are not above 0.
    """

    def __init__(self, *, keep: Sequence[Any] = ("best", "last"), every_minutes: float | None = 10.0) -> None:
        check_finite(every_minutes=every_minutes)
        if every_minutes is not None and every_minutes <= 0:
            raise UserError(
                f"every_minutes must be above 0, but is {every_minutes}: null saves at validations and signals alone."
            )
        names = [keep] if isinstance(keep, str) else list(keep)
        for name in names:
            if name not in ("best", "last") and not _EVERY.fullmatch(str(name)):
                raise UserError(f"keep must hold best, last and 'every N', as in 'every 4000', but holds {name!r}.")
        every = [int(found[1]) for name in names if (found := _EVERY.fullmatch(name))]
        if len(set(names)) < len(names) or len(every) > 1:
            raise UserError(f"keep must hold best, last and 'every N' once each, but is {names}.")
        if "last" not in names:
            raise UserError(f"keep must hold last, from which a run goes on, but is {names}: add it.")
        self.best, self.every, self.every_minutes = "best" in names, every[0] if every else None, every_minutes

    def callbacks(self, folder: Path, *, monitor: str, mode: str) -> list[Callback]:
        """The callbacks that save into a run folder."""
        common: dict[str, Any] = {"dirpath": folder / "checkpoints", "enable_version_counter": False}
        best = [BestCheckpoint(filename="best", monitor=monitor, mode=mode, **common)] if self.best else []
        return [*best, KeptCheckpoint(filename="last", **common), StepSaving(self)]


class StepSaving(lightning.Callback):
    """Says behind which steps checkpoints are saved; whoever ends the steps does that."""

    def __init__(self, policy: CheckpointPolicy) -> None:
        self.policy = policy
        self._saved_at = 0.0  # by the clock that only goes on

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.saved()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.saved()  # with it

    def saved(self) -> None:
        """Count minutes from here on."""
        self._saved_at = time.monotonic()

    def is_time(self) -> bool:
        """Tell whether the minutes have passed, by the clock of this process."""
        minutes = self.policy.every_minutes
        return minutes is not None and time.monotonic() - self._saved_at >= 60 * minutes

    def numbered(self, step: int) -> list[str]:
        """The name of the checkpoint that stays of a step, if one does."""
        return [f"step-{step:06d}"] if self.policy.every and step % self.policy.every == 0 else []


def save_step(trainer: lightning.Trainer, names: Sequence[str]) -> None:
    """Save the step that was taken under these names."""
    for name in names:
        trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / f"{name}.ckpt")
