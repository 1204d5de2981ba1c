"""The curves of a run, a point at each validation, to draw."""

import math
from dataclasses import astuple
from typing import Any

import pytorch_lightning as lightning

from seq2seq.interpretation.training_curves import CURVES, CurvePoint
from seq2seq.training.callbacks.gate_monitor import GateMonitor
from seq2seq.training.callbacks.update_ratio import UpdateRatio


class CurveRecord(lightning.Callback):
    """Keeps, at every validation and over interruptions too, what other callbacks and the steps before it saw.

    Losses, the norm of the gradient, the update ratio, the share of saturated gates and the steps that were left out.
    What is not measured, or is not finite, is None. It is in the checkpoints, and `interpret` draws it.
    """

    def __init__(self) -> None:
        self.points: list[CurvePoint] = []

    @property
    def state_key(self) -> str:
        """The name of its state in a checkpoint."""
        return CURVES

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        ratios, gates = {}, {}
        for callback in trainer.callbacks:
            if isinstance(callback, UpdateRatio):
                ratios = callback.latest
            elif isinstance(callback, GateMonitor):
                gates = {name: share for name, share in callback.saturated.items() if math.isfinite(share)}
        worst = max(gates, key=gates.__getitem__) if gates else None
        metrics = trainer.callback_metrics
        self.points.append(
            CurvePoint(
                step=trainer.global_step,
                train_loss=_finite(metrics.get("train/loss")),
                dev_loss=_finite(metrics.get("dev/loss")),
                gradient_norm=_finite(metrics.get("train/gradient_norm")),
                update_ratio=_finite(ratios.get("update_ratio/model")),
                saturated=sum(gates.values()) / len(gates) if gates else None,
                most_saturated=gates[worst] if worst else None,
                gate=worst,
                skipped=pl_module.skipped.total,
                overflows=pl_module.skipped.overflows,
            )
        )

    def state_dict(self) -> dict[str, Any]:
        return {"points": [list(astuple(point)) for point in self.points]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.points = [CurvePoint(*values) for values in state_dict["points"]]


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(number := float(value)) else number
