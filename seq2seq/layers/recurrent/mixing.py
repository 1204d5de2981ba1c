"""The recurrence of cells without a recurrent matrix: all steps by one loop of elementwise operations."""

from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Steps = Float[Tensor, "time batch cell"]


class Mixed(NamedTuple):
    """Memories before and after every step, `time batch cell`."""

    before: Tensor
    after: Tensor


def mix(
    sums: Steps,
    content: Steps,
    start: Float[Tensor, "batch cell"],
    weight: Float[Tensor, " cell"] | None = None,
) -> Mixed:
    """Memories of c' = f c + (1 - f) content, where f = sigmoid(sums), or sigmoid(sums + weight c) with a weight.

    Time comes first, so that a step is one block of memory. Gradients are written out: the way back is the same loop
    in reverse, all else is computed for all steps at once. No scan over log f: it errs a hundred times as much, and
    has no gradient of a start at zero.
    """
    return Mixed(*cast(Any, _Mixing).apply(sums, content, start, weight))


class _Mixing(Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, content: Tensor, start: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        history = sums.new_empty(len(sums) + 1, *start.shape)  # the memory after every step, the start first
        history[0] = start
        memories = history.unbind(0)
        keep = sums.sigmoid() if weight is None else sums.new_empty(sums.shape)
        rows = zip(sums, content, keep, memories[:-1], memories[1:], strict=True)
        for row, new, kept, before, after in rows:  # (batch, cell) each
            if weight is not None:
                torch.addcmul(row, weight, before, out=kept).sigmoid_()
            torch.lerp(new, before, kept, out=after)
        ctx.save_for_backward(history, keep, content, weight)
        ctx.set_materialize_grads(False)
        return history[:-1], history[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, before_grad: Tensor | None, after_grad: Tensor | None) -> tuple[Tensor | None, ...]:
        history, keep, content, weight = ctx.saved_tensors
        shift = history[:-1] - content  # what a wider open gate adds
        if weight is None:
            carried = keep
        else:
            shift.mul_(keep).addcmul_(shift, keep, value=-1)  # shift times f (1 - f), the slope of the sigmoid
            carried = torch.addcmul(keep, shift, weight)  # the memory's way on, through the gate too
        gradient, of_start = _backwards(carried, before_grad, after_grad)
        of_content = torch.addcmul(gradient, gradient, keep, value=-1)
        of_sums = shift.mul_(gradient) if weight is not None else shift.mul_(keep).mul_(of_content)
        of_weight = None if weight is None else (of_sums * history[:-1]).sum((0, 1))
        return of_sums, of_content, of_start, of_weight


def _backwards(carried: Tensor, before: Tensor | None, after: Tensor | None) -> tuple[Tensor, Tensor]:
    """Gradients of the memory after every step and of the start, from those of what was handed out."""
    found = torch.zeros_like(carried) if after is None else after.clone()
    if before is not None:  # a memory before a step is the one after the step that came before
        found[:-1] += before[1:]
    rows, ways = found.unbind(0), carried.unbind(0)
    for time in range(len(rows) - 1, 0, -1):
        rows[time - 1].addcmul_(ways[time], rows[time])
    of_start = ways[0] * rows[0]
    return found, of_start if before is None else of_start.add_(before[0])
