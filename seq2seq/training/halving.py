"""Batches that memory was not enough for, taken in parts whose gradients are summed."""

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from seq2seq.data.batch import Batch, StreamBatch
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.out_of_memory import ADVICE, is_out_of_memory, shape_of
from seq2seq.training.step import TrainingStep

logger = logging.getLogger(__name__)
_PARTS = (2, 4, 8)  # that a batch is taken in, until they fit
_NUMBERS = 1000  # of parts of a step, from which those of parts are counted: none draws what another does

Begin = Callable[[int], None]  # draws other random numbers, by the number of a part
Loss = Callable[[Batch], Tensor]


class HalvedSteps:
    """Steps that memory was not enough for, `total` of them: each was taken once more, its batches in halves or less.

    The gradient is that of the whole batch but for rounding, and for random numbers. Running text is not taken so, as
    its rows carry states; nor is what several processes sum as they go back.
    """

    def __init__(self) -> None:
        self.total = 0
        self._whole: Tensor | None = None  # loss, with its graph, of the batch under way; None where there was no room
        self._seen: Tensor | None = None  # the same without, which Lightning goes back from

    def loss(self, step: TrainingStep, batch: Batch, loss: Loss, begin: Begin) -> Tensor:
        """The loss of a batch, apart from its graph: `backward` has that. Without room, the sum of those of parts."""
        if not can_part(batch):
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
        batches: Sequence[Batch],
        *,
        loss: Loss,
        begin: Begin,
        autocast: Callable[[], AbstractContextManager],
    ) -> None:
        """Go back from what became of the loss of the last of a step's batches, or of all of them in parts.

        Raises the error of before where memory is not enough for eighths, either.
        """
        found.backward()
        if self._seen is None:
            return
        scale, self._seen = self._seen.grad, None
        if (short := _short(self._all_at_once, scale)) is None:
            return

        def in_parts(number: int) -> None:
            _free(step)
            for batch in _parted(batches, number, begin):
                with autocast():
                    value = loss(batch)
                value.backward(scale)

        for number in _PARTS:
            if (short := _short(in_parts, number)) is None:
                self._count(batches[-1], number)
                return
        raise short

    def _all_at_once(self, scale: Tensor | None) -> None:
        whole, self._whole = self._whole, None
        if whole is None:
            raise MemoryError  # there was no room for it
        whole.backward(scale)

    def _count(self, batch: Batch, parts: int) -> None:
        self.total += 1
        logger.warning(
            "memory was not enough for a batch (%s), which is taken in %d parts, the %s time: where that comes often, "
            "%s",
            *(shape_of(batch), parts, f"{self.total}." if self.total > 1 else "first", ADVICE),
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
    """Tell whether a batch can be taken in parts: by this process alone, of several pairs that carry nothing."""
    several = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not several and not isinstance(batch, StreamBatch) and len(batch.source) > 1


def _without_graph(objective: Objective, batch: Batch, loss: Loss, begin: Begin) -> Tensor:
    """The loss of a batch in halves, none of which is gone back from; and its likelihood, left where it would be."""
    gc.collect()
    losses, likelihoods = [], []
    with torch.no_grad():
        for part in _parted([batch], _PARTS[0], begin):
            losses.append(loss(part))
            likelihoods.append(objective.likelihood)
    known = [one for one in likelihoods if one is not None]
    objective.likelihood = torch.stack(known).sum() if len(known) == len(losses) else None
    return torch.stack(losses).sum()


def _parted(batches: Sequence[Batch], parts: int, begin: Begin) -> Iterator[Batch]:
    """The parts of batches, each with random numbers of its own."""
    for number, batch in enumerate(batches):
        for place, part in enumerate(batch.parts(parts)):
            begin(_NUMBERS * (number + 1) + 10 * parts + place)
            yield part


def _free(step: TrainingStep) -> None:
    """Let go of what a step that failed has left."""
    for weight in step.model.parameters():
        weight.grad = None
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
