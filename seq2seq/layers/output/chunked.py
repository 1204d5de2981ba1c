"""Losses of rows, some rows at a time, so that scores of the whole vocabulary are never there for all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.precise import precise
from seq2seq.symbols import BOS, PAD

Found = TypeVar("Found", Tensor, tuple[Tensor, ...])


def in_chunks(function: Callable[..., Found], chunk: int | None, *rows: Tensor) -> Found:
    """Results of a function of rows, from so many of them at a time; None: from all.

    What lies between a chunk and its part of the result is found once more for the gradient, and never kept.
    """
    if chunk is None or len(rows[0]) <= chunk:
        return function(*rows)
    keeps = not torch.is_grad_enabled()
    parts: Any = [
        function(*part) if keeps else checkpoint(function, *part, use_reentrant=False)
        for part in zip(*(own.split(chunk) for own in rows), strict=True)
    ]
    joined: Any = torch.cat(parts) if isinstance(parts[0], Tensor) else tuple(map(torch.cat, zip(*parts, strict=True)))
    return joined


@dataclass(frozen=True)
class ChunkedCrossEntropy:
    """The smoothed negative log-likelihood of targets under softmax(rows W^T + b), `chunk` rows at a time.

    The gradient of the sum is found in the forward pass, chunk by chunk, as p - (1 - amount) 1[target] - amount share,
    and added up in float32 (or better): scores are computed once and none are kept (Hsu et al. 2024; Wijmans et al.
    2025). Under autocast products are of its type. The backward pass scales what was kept, and can be run once.
    """

    chunk: int
    vocabulary_size: int
    smoothing: Smoothing

    def __call__(self, rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the negative log-likelihood in it, which passes no gradient: both as sums over rows."""
        return _SummedLoss.apply(self, torch.is_grad_enabled(), rows, weight, bias, targets)

    def losses(self, scores: Tensor, targets: Tensor, spread: Tensor | None) -> tuple[Tensor, Tensor]:
        """The summed loss and likelihood of one chunk's scores, which become their own gradients."""
        amount, places = self.smoothing.amount, targets.unsqueeze(1)
        of_shares = None if spread is None else scores @ spread
        scores[:, [PAD, BOS]] = float("-inf")
        scores[:, self.vocabulary_size :] = float("-inf")
        of_targets, highest = scores.gather(1, places), scores.amax(-1, keepdim=True)
        pulls = scores.sub_(highest).exp_()
        sums = pulls.sum(-1, keepdim=True)
        pulls.div_(sums)
        logarithms = highest + sums.log()
        likelihood = (logarithms - of_targets).sum()
        loss = likelihood
        if spread is not None and of_shares is not None:
            total = spread.sum()  # 1, or less if counts have a part of what cannot be said
            loss = (1 - amount) * likelihood + amount * (total * logarithms.squeeze(1) - of_shares).sum()
            pulls.mul_(1 - amount + amount * total).sub_(amount * spread)
        pulls.scatter_add_(1, places, torch.full_like(places, amount - 1, dtype=pulls.dtype))
        return loss, likelihood


class _SummedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, law: ChunkedCrossEntropy, learns: bool, *given: Tensor) -> tuple[Tensor, Tensor]:
        *factors, targets = given
        device = targets.device.type
        low = [_as_in_autocast(one, device) for one in factors]
        kind = torch.promote_types(low[1].dtype, torch.float32)
        gradients = [
            torch.zeros_like(one, dtype=kind) if learns and needs else None
            for one, needs in zip(factors, ctx.needs_input_grad[2:5], strict=True)
        ]
        with torch.autocast(device, enabled=False):
            total, likelihood = _summed(law, low, targets, gradients)
        ctx.types = [one.dtype for one in factors]
        ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(likelihood)
        return total, likelihood

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        # In place, as there is no room for a second one of these.
        scaled = [
            None if one is None else one.mul_(gradient).to(kind)
            for one, kind in zip(ctx.saved_tensors, ctx.types, strict=True)
        ]
        return None, None, *scaled, None


def _summed(
    law: ChunkedCrossEntropy, factors: list[Tensor], targets: Tensor, gradients: list[Tensor | None]
) -> tuple[Tensor, Tensor]:
    """The loss and likelihood of all rows; gradients that are wanted, of rows, weight and bias, are added up."""
    rows, weight, bias = factors
    of_rows, of_weight, of_bias = gradients
    spread = law.smoothing.spread(precise(bias), law.vocabulary_size) if law.smoothing.amount > 0 else None
    total, likelihood = precise(bias).new_zeros(2)
    for start in range(0, len(rows), law.chunk):
        place = slice(start, start + law.chunk)
        pulls = precise(functional.linear(rows[place], weight, bias))
        loss, own = law.losses(pulls, targets[place], spread)
        total, likelihood = total + loss, likelihood + own
        low = pulls if weight.dtype == torch.float16 else pulls.to(weight.dtype)  # whose range is small
        if of_rows is not None:
            of_rows[place] = low @ weight.to(low.dtype)
        if of_weight is not None:
            _add_product(of_weight, low.t(), rows[place].to(low.dtype))
        if of_bias is not None:
            of_bias += pulls.sum(0)
    return total, likelihood


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def _as_in_autocast(one: Tensor, device: str) -> Tensor:
    """The tensor in the type that autocast gives products; in its own where there is none."""
    if one.dtype == torch.float64 or not torch.is_autocast_enabled(device):
        return one
    return one.to(torch.get_autocast_dtype(device))
