"""Steps whose gradient is not finite: left out, counted, and their batches kept."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from seq2seq.data.batch import Batch

_FILES = 100  # of batches, at most
# Halvings of GradScaler's scale from where it starts, 65536, to 1: so many failures in a row are its search for one.
SCALE_HALVINGS = 16


def leave_out_unless(finite: Tensor, optimizer: Optimizer) -> None:
    """Make the optimizer's next step change nothing, its own state included, where `finite` is false.

    A fused optimizer decides on the device. Any other passes parameters by that have no gradient, which is for the host
    to take away: it waits for the device, as it does in torch's GradScaler.
    """
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
    elif not bool(finite):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


class SkippedSteps:
    """The steps that were left out, `total` and `in_a_row`, and the files of their batches in a folder.

    Whether a step was is known on the device; `look` asks for all steps since it was last called. After `limit` in a
    row training has diverged. The first `forgiven` in a row are a scaler's, while it looks for its scale: they count to
    `overflows` alone.
    """

    def __init__(self, *, limit: int = 5, forgiven: int = 0) -> None:
        self.limit, self.forgiven = limit, forgiven
        self.total, self.in_a_row, self.overflows = 0, 0, 0
        self.last: tuple[int, list[Batch]] | None = None
        self._unseen: list[tuple[int, list[Batch], Tensor]] = []

    def note(self, step: int, batches: Sequence[Batch], finite: Tensor) -> None:
        """Remember a step and its batches, without waiting for whether its gradient was finite."""
        self._unseen.append((step, list(batches), finite))

    def look(self, folder: Path, rank: int = 0) -> bool:
        """Count the steps since the last look, save batches of those left out, and tell if training has diverged."""
        unseen, self._unseen = self._unseen, []
        if not unseen:
            return False
        for (step, batches, _), finite in zip(unseen, torch.stack([flag for *_, flag in unseen]).tolist(), strict=True):
            self.in_a_row = 0 if finite else self.in_a_row + 1
            self.overflows += 0 < self.in_a_row <= self.forgiven
            if self.in_a_row > self.forgiven:
                self.total += 1
                self.last = step, batches
                if self.total <= _FILES:
                    _save(folder, step, rank, batches)
            if self.in_a_row >= self.forgiven + self.limit:
                return True
        return False

    def state_dict(self) -> dict[str, int]:
        """The counts, for a run that goes on."""
        return {"total": self.total, "in_a_row": self.in_a_row, "overflows": self.overflows}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Take up the counts of an interrupted run."""
        self.total, self.in_a_row = state["total"], state["in_a_row"]
        self.overflows = state.get("overflows", 0)  # earlier checkpoints lack it


def _save(folder: Path, step: int, rank: int, batches: Sequence[Batch]) -> None:
    """Write the batches of a step, one for every process, as keywords of `Batch`."""
    folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {
        "step": step,
        "rank": rank,
        "batches": [_keywords(batch.to("cpu")) for batch in batches],
    }
    torch.save(record, folder / (f"step_{step}_of_process_{rank}.pt" if rank else f"step_{step}.pt"))


def _keywords(batch: Batch) -> dict[str, Any]:
    return {field.name: getattr(batch, field.name) for field in fields(batch) if field.init}
