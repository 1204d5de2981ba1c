"""The recurrence of cells without a recurrent matrix: all steps by one loop of elementwise operations."""

from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from seq2seq.layers.recurrent.activations import Activation, multiply_by_slope

Steps = Float[Tensor, "time batch cell"]


class Mixed(NamedTuple):
    """Memories before and after every step, and what gates beyond the first two sum up to, `time batch cell` each."""

    before: Tensor
    after: Tensor
    others: tuple[Tensor, ...]


def mix(
    sums: Float[Tensor, "time batch gates"],
    start: Float[Tensor, "batch cell"],
    activation: Activation,
    *,
    weight: Float[Tensor, " cell"] | None = None,
    shares: bool = False,
) -> Mixed:
    """Memories of c' = k c + (1 - k) activation(g), where the sums are those of a gate that keeps, of g, and of others.

    k = sigmoid(sum), or sigmoid(sum + weight c) with a weight; or it shares one with the first of the other gates,
    k = sigmoid(sum) / (sigmoid(sum) + sigmoid(other)).

    Time comes first, so that a step is one block of memory. Gradients are written out: the way back is the same loop
    in reverse, all else is computed for all steps at once and put where the gradient of the sums is to be. No scan
    over log k: it errs a hundred times as much, and has no gradient of a start at zero.
    """
    before, after, *others = cast(Any, _Mixing).apply(sums, start, weight, activation, shares)
    return Mixed(before, after, tuple(others))


def share(keep: Tensor, other: Tensor) -> Tensor:
    """The sum whose sigmoid is the share of the first gate in both, finite where both are shut."""
    return functional.logsigmoid(keep) - functional.logsigmoid(other)


class _Mixing(Function):
    @staticmethod
    def forward(
        ctx: Any, sums: Tensor, start: Tensor, weight: Tensor | None, activation: Activation, shares: bool
    ) -> tuple[Tensor, ...]:
        own, new, *others = sums.split(start.shape[-1], -1)
        own, new = share(own, others[0]) if shares else own, activation(new)
        if not shares:  # then sums are kept for backward, and else a part of them would keep them all
            new = new.contiguous()
        history, keep = _forwards(own, new, start, weight)
        ctx.save_for_backward(history, keep, new, weight, sums if shares else None)
        ctx.activation, ctx.width = activation, sums.shape[-1]
        ctx.set_materialize_grads(False)
        return history[:-1], history[1:], *others

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, before: Tensor | None, after: Tensor | None, *others: Tensor | None) -> tuple[Any, ...]:
        history, keep, new, weight, sums = ctx.saved_tensors
        joint = keep.new_empty(*keep.shape[:-1], ctx.width)
        of_keep, of_new, *of_others = joint.split(keep.shape[-1], -1)
        for part, given in zip(of_others, others, strict=True):
            part.zero_() if given is None else part.copy_(given)
        bend = (history[:-1] - new).mul_(keep)  # what a wider open gate adds, by the slope of the sigmoid, k (1 - k)
        bend.addcmul_(bend, keep, value=-1)
        carried = keep if weight is None else torch.addcmul(keep, bend, weight)  # the memory's way on, by the gate too
        found, of_start = _backwards(carried, before, after)
        torch.addcmul(found, found, keep, value=-1, out=of_new)
        multiply_by_slope(of_new, ctx.activation, new)
        torch.mul(found, bend, out=of_keep)
        of_weight = None if weight is None else (of_keep * history[:-1]).sum((0, 1))
        if sums is not None:  # d log sigmoid(x) / dx = sigmoid(-x)
            own, _, other, *_ = sums.split(keep.shape[-1], -1)
            of_others[0].addcmul_(of_keep, other.neg().sigmoid_(), value=-1)
            of_keep.mul_(own.neg().sigmoid_())
        return joint, of_start, of_weight, None, None


def _forwards(sums: Steps, new: Steps, start: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """The memory before the first step and after each, and how much of it each step kept."""
    history = new.new_empty(len(new) + 1, *start.shape)
    history[0] = start
    memories = history.unbind(0)
    keep = sums.sigmoid() if weight is None else torch.empty_like(new)
    rows = zip(sums, new, keep, memories[:-1], memories[1:], strict=True)
    for row, content, kept, before, after in rows:  # (batch, cell) each
        if weight is not None:
            torch.addcmul(row, weight, before, out=kept).sigmoid_()
        torch.lerp(content, before, kept, out=after)
    return history, keep


def _backwards(carried: Steps, before: Tensor | None, after: Tensor | None) -> tuple[Tensor, Tensor]:
    """Gradients of the memory after every step and of the start, from those of what was handed out."""
    found = torch.empty_like(carried)
    given = torch.zeros_like(carried) if after is None else after
    rows, ways, own = found.unbind(0), carried.unbind(0), given.unbind(0)
    rows[-1].copy_(own[-1])
    for time in range(len(rows) - 1, 0, -1):
        torch.addcmul(own[time - 1], ways[time], rows[time], out=rows[time - 1])
        if before is not None:  # the memory before a step is the one after the step that came before
            rows[time - 1].add_(before[time])
    of_start = ways[0] * rows[0]
    return found, of_start if before is None else of_start.add_(before[0])
