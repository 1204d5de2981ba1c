"""Batches that memory was not enough for, taken in parts whose gradients are summed."""

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.data.batch import Batch, StreamBatch
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.out_of_memory import ADVICE, is_out_of_memory, shape_of
from seq2seq.training.step import TrainingStep

logger = logging.getLogger(__name__)
_PARTS = (2, 4, 8)  # that a batch is taken in, until they fit

Begin = Callable[[int], None]  # draws other random numbers, by the number of a part
Loss = Callable[[Batch], Tensor]


class HalvedSteps:
    """Steps that memory was not enough for, `total` of them: a batch was taken once more, in halves or less.

    The gradient is that of the whole batch but for rounding, and for random numbers. Weights that had theirs before
    memory was short keep it, so that each has one in a step, which is what several processes sum: one takes its share
    in parts while the others wait for its gradients. Running text is not taken so, as its rows carry states; nor is
    anything where it is not `possible`, as other ways to train in several processes can have it.
    """

    def __init__(self) -> None:
        self.total = 0
        self.possible = True
        self.parts = 0  # that a batch of the step under way was taken in; 0 where memory was enough
        self._whole: Tensor | None = None  # loss, with its graph, of the batch under way; None where there was no room
        self._seen: Tensor | None = None  # the same without, which Lightning goes back from

    def loss(self, step: TrainingStep, batch: Batch, loss: Loss, begin: Begin) -> Tensor:
        """The loss of a batch, apart from its graph: `backward` has that. Without room, the sum of those of parts."""
        if not self.possible or not can_part(batch):
            return loss(batch)
        try:
            self._whole = loss(batch)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self._whole = None
        value = self._whole.detach() if self._whole is not None else _without_graph(step.objective, batch, loss, begin)
        self._seen = value.clone().requires_grad_()
        return self._seen

    def backward(
        self,
        step: TrainingStep,
        found: Tensor,
        batch: Batch,
        loss: Loss,
        *,
        begin: Begin,
        autocast: Callable[[], AbstractContextManager],
    ) -> None:
        """Go back from what became of the loss of a batch, at once or in parts.

        Raises the error of before where memory is not enough for eighths, either.
        """
        found.backward()
        if self._seen is None:
            return
        scale, self._seen = self._seen.grad, None
        weights = [weight for weight in step.model.parameters() if weight.requires_grad]
        before = [_place(weight) for weight in weights]
        if (short := _short(self._all_at_once, scale)) is None:
            return
        left = [weight for weight, place in zip(weights, before, strict=True) if _place(weight) == place]
        sums: list[Tensor | None] = []

        def in_parts(number: int) -> None:
            sums[:] = _summed(left, _parted(batch, number, begin), scale, loss, autocast)

        number = next((one for one in _PARTS if (short := _short(in_parts, one)) is None), None)
        if number is None:
            raise short
        _hand_on(left, sums)
        self._count(f"a batch ({shape_of(batch)})", number)

    def _all_at_once(self, scale: Tensor | None) -> None:
        whole, self._whole = self._whole, None
        if whole is None:
            raise MemoryError  # there was no room for it
        whole.backward(scale)

    def end_step(self, parts: int) -> None:
        """Count the step under way if another of several processes took its share in parts, at most so many."""
        self._count("another process's share of a batch", parts)
        self.parts = 0

    def _count(self, what: str, parts: int) -> None:
        """Count a step once, and tell of it."""
        before, self.parts = self.parts, max(self.parts, parts)
        if before or not parts:
            return
        self.total += 1
        logger.warning(
            "memory was not enough for %s, which is taken in %d parts, the %s time: where that comes often, %s",
            *(what, parts, f"{self.total}." if self.total > 1 else "first", ADVICE),
        )


def _short(run: Callable[[Any], None], given: Any) -> BaseException | None:
    """The error of a function that memory was not enough for, without what it held; None where there was enough."""
    try:
        run(given)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return error.with_traceback(None)
    return None


def can_part(batch: Batch) -> bool:
    """Tell whether a batch can be taken in parts: one of several pairs that carry nothing."""
    return not isinstance(batch, StreamBatch) and len(batch.source) > 1


def _without_graph(objective: Objective, batch: Batch, loss: Loss, begin: Begin) -> Tensor:
    """The loss of a batch in halves, none of which is gone back from; and its likelihood, left where it would be."""
    gc.collect()
    losses, likelihoods = [], []
    with torch.no_grad():
        for part in _parted(batch, _PARTS[0], begin):
            losses.append(loss(part))
            likelihoods.append(objective.likelihood)
    known = [one for one in likelihoods if one is not None]
    objective.likelihood = torch.stack(known).sum() if len(known) == len(losses) else None
    return torch.stack(losses).sum()


def _parted(batch: Batch, parts: int, begin: Begin) -> Iterator[Batch]:
    """The parts of a batch, each with random numbers of its own."""
    for place, part in enumerate(batch.parts(parts)):
        begin(10 * parts + place)
        yield part


def _place(weight: nn.Parameter) -> tuple[int, int] | None:
    """Place where a weight's gradient is, and how often it was added to; None where there is none."""
    return None if weight.grad is None else (id(weight.grad), weight.grad._version)


def _summed(
    weights: list[nn.Parameter],
    parts: Iterator[Batch],
    scale: Tensor | None,
    loss: Loss,
    autocast: Callable[[], AbstractContextManager],
) -> list[Tensor | None]:
    """The sums of weights' gradients over parts, which nobody who listens at the weights hears of."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    sums: list[Tensor | None] = [None] * len(weights)
    for part in parts:
        with autocast():
            value = loss(part)
        for place, new in enumerate(torch.autograd.grad(value, weights, scale, allow_unused=True)):
            old = sums[place]
            sums[place] = new if old is None else old if new is None else old.add_(new)
    return sums


def _hand_on(weights: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
    """Add gradients to those of weights as going back does, so that who listens there, to sum over processes, hears."""
    found = [(weight, own) for weight, own in zip(weights, gradients, strict=True) if own is not None]
    if found:
        torch.autograd.backward([weight for weight, _ in found], [own for _, own in found])
