"""The distance that a step moves the weights."""

from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from seq2seq.training.callbacks.boards import is_logged, log


class UpdateRatio(lightning.Callback):
    """Logs norms of a step's update as shares of the norms of the weights: of all together, and the extreme matrices.

    About 1e-3 is usual; far less learns slowly, far more is unstable. Weights are copied in steps that are logged only.
    """

    def __init__(self) -> None:
        self._before: list[Tensor] | None = None
        self.latest: dict[str, float] = {}  # ratios of the last step that was looked at

    @torch.no_grad()
    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if is_logged(trainer, trainer.global_step + 1):
            self._before = [weight.detach().clone() for weight in pl_module.model.parameters()]

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self._before is None:
            return
        before, self._before = self._before, None
        self.latest = ratios(before, [weight.detach() for weight in pl_module.model.parameters()])
        log(trainer, self.latest)


def ratios(before: list[Tensor], after: list[Tensor]) -> dict[str, float]:
    """The norm of the change over the norm before: of all weights, and the highest and the lowest of a matrix."""
    moved, sizes = (
        torch.stack(torch._foreach_norm(part)).double() for part in (torch._foreach_sub(after, before), before)
    )
    matrices = torch.tensor([weight.dim() > 1 for weight in before], device=sizes.device) & (sizes > 0)
    each = moved / sizes
    highest, lowest = (
        torch.where(matrices, each, -torch.inf).max(),
        torch.where(matrices, each, torch.inf).min(),
    )
    read = torch.stack([moved.norm() / sizes.norm(), highest, lowest]).tolist()  # all in one wait
    return dict(zip(("update_ratio/model", "update_ratio/highest", "update_ratio/lowest"), read, strict=True))
