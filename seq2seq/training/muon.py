"""Muon where it is meant to be, and AdamW where it is not."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from seq2seq.errors import UserError, check_finite
from seq2seq.training.closures import loss_of


class MuonWithAdamW(Optimizer):
    """Muon for matrices (Jordan et al. 2024), and AdamW for vectors and for what is `spared`, as one optimizer.

    Both are torch's. Muon's updates have the size of AdamW's (Liu et al. 2025, equation 4), so that one rate suits
    both. Raises UserError at options outside of their ranges.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        lr: float = 2e-3,
        momentum: float = 0.95,
        betas: Sequence[float] = (0.9, 0.98),
        eps: float = 1e-9,
        weight_decay: float = 0.01,
        spared: Sequence[nn.Parameter] = (),
    ) -> None:
        check_finite(lr=lr, eps=eps, weight_decay=weight_decay)
        _check(lr, momentum, betas, weight_decay)
        others = {id(one) for one in spared}
        matrices: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for one in params:
            (matrices if one.dim() == 2 and id(one) not in others else rest).append(one)
        shared: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}
        self._inner: list[Optimizer] = []
        if matrices:
            muon = torch.optim.Muon(matrices, momentum=momentum, adjust_lr_fn="match_rms_adamw", **shared)
            self._inner.append(muon)
        if rest:
            self._inner.append(torch.optim.AdamW(rest, betas=(betas[0], betas[1]), eps=eps, **shared))
        super().__init__([group for one in self._inner for group in one.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Let the inner optimizers work on the groups and the state of this one."""
        for one, group in zip(self._inner, self.param_groups, strict=True):
            one.param_groups, one.state = [group], self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Let both take their step, after the closure if there is one, and return what that returned."""
        loss = loss_of(closure)
        for one in self._inner:
            one.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of an interrupted run."""
        super().load_state_dict(state_dict)
        self._share()


def spared_of(model: nn.Module) -> list[nn.Parameter]:
    """Parameters that are not for Muon, though they may be matrices: those of embeddings and of the output layer."""
    parts = [part for part in model.modules() if isinstance(part, nn.Embedding)]
    output = getattr(model, "output", None)
    return [one for part in [*parts, *([output] if output is not None else [])] for one in part.parameters()]


def _check(lr: float, momentum: float, betas: Sequence[float], weight_decay: float) -> None:
    """Raise UserError at the first option outside of its range."""
    if not lr > 0:
        raise UserError(f"lr must be above 0, but is {lr}.")
    if not 0 <= momentum < 1:
        raise UserError(f"momentum must be at least 0 and below 1, but is {momentum}.")
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise UserError(f"betas must be two numbers of at least 0 and below 1, but are {tuple(betas)}.")
    if not weight_decay >= 0:
        raise UserError(f"weight_decay must be at least 0, but is {weight_decay}.")
