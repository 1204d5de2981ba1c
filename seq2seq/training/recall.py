"""Distance over which a cell can learn to remember: one that is trained on a task of growing length."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import cast

import torch
from torch import Tensor, nn

from seq2seq.layers.linear import linear
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.models.blank import blank
from seq2seq.models.sizes import fitted_size, parameter_count
from seq2seq.shapes import Inputs
from seq2seq.training.recall_tasks import RecallTask

logger = logging.getLogger(__name__)
_TESTED, _TEST_SEED = 512, 1_000_003  # sequences that no training sees
_LOOKS = 20  # at the score, in a training
_LEARNT = 0.995  # a share of right answers at which there is nothing left to train for
_CLIP = 1.0

CellKind = Callable[[int, int], Cell]


class CellReader(nn.Module):
    """A cell, and one matrix that reads what it shows at every step: nothing else could remember.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.gru import GRUCell
    >>> from seq2seq.training.recall import CellReader
    >>> CellReader(GRUCell(8, 16), 5)(torch.randn(2, 7, 8)).shape
    torch.Size([2, 7, 5])
    """

    def __init__(self, cell: Cell, output_size: int) -> None:
        super().__init__()
        self.cell = cell
        self.readout = linear(cell.hidden_size, output_size)

    def forward(self, inputs: Inputs) -> Tensor:
        """Outputs of all steps, `batch time output`."""
        return cast(Tensor, self.readout(self.cell.unroll(inputs, self.cell.start(inputs[:, 0]))[0]))


@dataclass(frozen=True)
class RecallTraining:
    """The training of every reader: steps of Adam at most, sequences in each, its rate, and its seeds.

    One that diverges ends there, and counts as what it was at the last look before, which is told.
    """

    steps: int = 1500
    batch_size: int = 32
    lr: float = 5e-3
    seeds: int = 3
    first_seed: int = 1

    def scores(self, kind: CellKind, size: int, task: RecallTask, length: int) -> list[float]:
        """Shares of right answers at the end, one for each seed."""
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        return [self._score(kind, size, task, length, seed) for seed in seeds]

    def _score(self, kind: CellKind, size: int, task: RecallTask, length: int, seed: int) -> float:
        torch.manual_seed(seed)
        reader = CellReader(kind(task.input_size, size), task.output_size)
        optimizer = torch.optim.Adam(reader.parameters(), self.lr)
        draw, look = torch.Generator().manual_seed(seed), max(1, self.steps // _LOOKS)
        test = task.batch(length, _TESTED, torch.Generator().manual_seed(_TEST_SEED))
        score = 0.0
        for step in range(1, self.steps + 1):
            batch = task.batch(length, self.batch_size, draw)
            optimizer.zero_grad()
            loss = task.loss(reader.train()(batch.inputs), batch)
            if not bool(loss.isfinite()):
                return _score_of_diverged(score, length, seed, step)
            loss.backward()
            nn.utils.clip_grad_norm_(reader.parameters(), _CLIP)
            optimizer.step()
            if step % look == 0 or step == self.steps:
                with torch.no_grad():
                    outputs = reader.eval()(test.inputs)
                if not bool(outputs.isfinite().all()):
                    return _score_of_diverged(score, length, seed, step)
                score = task.right(outputs, test)
                if score >= _LEARNT:
                    break
        return score


def _score_of_diverged(score: float, length: int, seed: int, step: int) -> float:
    """The score of a training that has diverged, which is told: that of the last look before, 0 without one.

    It is the last and not the best, so no score is picked for what it is.
    """
    logger.warning(
        "length %d, seed %d: the training has diverged by step %d, and counts as %.1f %% right, as before: lower lr",
        *(length, seed, step, 100 * score),
    )
    return score


@dataclass(frozen=True)
class RecallRow:
    """Scores of one cell at each length, up to the first at which their mean is too low, in percent."""

    name: str
    hidden_size: int
    parameters: int
    scores: dict[int, list[float]]
    enough: float

    @property
    def reaches(self) -> int | None:
        """The last length at which the mean is high enough."""
        passed = [length for length, own in self.scores.items() if mean(own) >= self.enough]
        return passed[-1] if passed else None

    @property
    def falls_at(self) -> int | None:
        """The first length at which it is not; None where all are passed."""
        return next((length for length, own in self.scores.items() if mean(own) < self.enough), None)


def recall_rows(
    kinds: dict[str, CellKind],
    task: RecallTask,
    lengths: Sequence[int],
    training: RecallTraining,
    *,
    hidden_size: int,
    enough: float,
) -> Iterator[RecallRow]:
    """Rows of cells, each trained anew at every length until it fails, with as many parameters as the first."""
    wanted = 0
    for name, kind in kinds.items():

        def parameters(size: int, kind: CellKind = kind) -> int:
            with blank("meta"):
                return parameter_count(CellReader(kind(task.input_size, size), task.output_size))

        size = fitted_size(parameters, wanted) if wanted else hidden_size
        wanted = wanted or parameters(size)
        row = RecallRow(name, size, parameters(size), {}, enough)
        for length in lengths:
            row.scores[length] = [100 * score for score in training.scores(kind, size, task, length)]
            if mean(row.scores[length]) < enough:
                break
        yield row
