"""Tasks that ask for what was read so many steps ago, made anew for every batch."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.shapes import Inputs

SYMBOLS = 8  # of delay and copy: a guess is right at one in eight
_ANSWERS = 20  # of a delay
_COPIED = 5  # symbols of a copy
_CLOSE = 0.04  # of a sum, after Hochreiter & Schmidhuber 1997


class RecallBatch(NamedTuple):
    """Sequences to read, `batch time input`, and answers to their last steps, `batch answers` or a number each."""

    inputs: Inputs
    answers: Tensor


class RecallTask(ABC):
    """A task of some length: between what it tells and what it asks for lie as many steps."""

    input_size: ClassVar[int]
    output_size: ClassVar[int] = SYMBOLS

    @abstractmethod
    def batch(self, length: int, count: int, draw: torch.Generator) -> RecallBatch:
        """Sequences of the task, drawn anew."""

    def loss(self, outputs: Float[Tensor, "batch time output"], batch: RecallBatch) -> Tensor:
        """Nats per answer of outputs that are logits of all steps."""
        asked = outputs[:, -batch.answers.shape[1] :]
        return functional.cross_entropy(asked.flatten(0, 1), batch.answers.flatten())

    def right(self, outputs: Float[Tensor, "batch time output"], batch: RecallBatch) -> float:
        """The share of answers that are right."""
        asked = outputs[:, -batch.answers.shape[1] :]
        return float((asked.argmax(-1) == batch.answers).double().mean())


class DelayTask(RecallTask):
    """Task of saying at each step the symbol of `length` steps before, of 8: a queue of as many symbols has to be held.

    >>> import torch
    >>> from seq2seq.training.recall_tasks import DelayTask
    >>> inputs, answers = DelayTask().batch(3, 1, torch.Generator().manual_seed(1))
    >>> inputs.shape, torch.equal(inputs[0, :20].argmax(-1), answers[0])
    (torch.Size([1, 23, 8]), True)
    """

    input_size = SYMBOLS

    def batch(self, length: int, count: int, draw: torch.Generator) -> RecallBatch:
        symbols = torch.randint(SYMBOLS, (count, length + _ANSWERS), generator=draw)
        return RecallBatch(functional.one_hot(symbols, SYMBOLS).float(), symbols[:, :_ANSWERS])


class CopyTask(RecallTask):
    """Five symbols of 8, then `length` blanks, then a mark, at which the five are to be written (Arjovsky et al. 2016).

    >>> import torch
    >>> from seq2seq.training.recall_tasks import CopyTask
    >>> inputs, answers = CopyTask().batch(3, 1, torch.Generator().manual_seed(1))
    >>> inputs[0, :5].argmax(-1).tolist() == answers[0].tolist(), inputs[0, 5:].argmax(-1).tolist()
    (True, [8, 8, 8, 9, 8, 8, 8, 8])
    """

    input_size = SYMBOLS + 2

    def batch(self, length: int, count: int, draw: torch.Generator) -> RecallBatch:
        symbols = torch.randint(SYMBOLS, (count, _COPIED), generator=draw)
        blanks = symbols.new_full((count, length + _COPIED), SYMBOLS)
        blanks[:, length] = SYMBOLS + 1
        return RecallBatch(functional.one_hot(torch.cat([symbols, blanks], 1), self.input_size).float(), symbols)


class AddingTask(RecallTask):
    """The sum of two marked numbers between 0 and 1 of `length`, one in either half (Hochreiter & Schmidhuber 1997).

    Right is what is less than 0.04 from it.

    >>> import torch
    >>> from seq2seq.training.recall_tasks import AddingTask
    >>> inputs, answers = AddingTask().batch(10, 2, torch.Generator().manual_seed(1))
    >>> inputs.shape, torch.allclose((inputs[..., 0] * inputs[..., 1]).sum(1), answers[:, 0])
    (torch.Size([2, 10, 2]), True)
    """

    input_size, output_size = 2, 1

    def batch(self, length: int, count: int, draw: torch.Generator) -> RecallBatch:
        numbers, marks, half = torch.rand(count, length, generator=draw), torch.zeros(count, length), length // 2
        for low, high in ((0, half), (half, length)):
            marks.scatter_(1, torch.randint(low, high, (count, 1), generator=draw), 1.0)
        return RecallBatch(torch.stack([numbers, marks], -1), (numbers * marks).sum(1, keepdim=True))

    def loss(self, outputs: Float[Tensor, "batch time output"], batch: RecallBatch) -> Tensor:
        """The mean of squared errors."""
        return functional.mse_loss(outputs[:, -1], batch.answers)

    def right(self, outputs: Float[Tensor, "batch time output"], batch: RecallBatch) -> float:
        return float(((outputs[:, -1] - batch.answers).abs() < _CLOSE).double().mean())


TASKS: dict[str, type[RecallTask]] = {"delay": DelayTask, "adding": AddingTask, "copy": CopyTask}


def recall_task(name: str) -> RecallTask:
    """The task of a name. Raises UserError at another."""
    if name not in TASKS:
        raise UserError(f"task must be one of {', '.join(TASKS)}, but is {name!r}.")
    return TASKS[name]()
