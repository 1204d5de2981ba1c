"""The interface that every metric of texts offers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals


class Scores(Metric, ABC):
    """Scores by name, over all sentences seen.

    A sentence has its counts, and scores are made of their sums alone: processes add theirs up, and tests of
    significance draw sentences again. Whole numbers fit a `dtype` of integers; means over references need another.
    """

    full_state_update = False
    totals: Tensor
    latest: SentenceCounts  # of the sentences that were added last

    def __init__(self, counts: int, *, dtype: torch.dtype = torch.long) -> None:
        super().__init__()
        self.add_state("totals", torch.zeros(counts, dtype=dtype), dist_reduce_fx="sum")

    @abstractmethod
    def counts(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str]
    ) -> SentenceCounts:
        """Counts of every sentence, which has one or more references; a row each."""

    @abstractmethod
    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        """Scores in percent, by name, of every row of summed counts."""

    def of_sentences(self, counts: SentenceCounts) -> dict[str, TrialScores]:
        """Scores in percent, by name, of every sentence alone; smoothed where zeros would hide what differs."""
        return self.scores(counts)

    @property
    @abstractmethod
    def signature(self) -> str:
        """A text that says all that another person needs to compute the same numbers."""

    def prepare(self, references: Sequence[Sequence[str]]) -> None:
        """Begin anew, for sentences that have these references: all of them, so that every process settles alike."""
        self.reset()
        self.settle(references)

    def settle(self, references: Sequence[Sequence[str]]) -> None:  # noqa: B027
        """Choose what depends on the references, where a metric leaves something open."""

    def update(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str] = ()
    ) -> None:
        """Add sentences, each with one or more references; sources may be left out where the metric reads none."""
        self.latest = self.counts(hypotheses, references, sources)
        self.totals += torch.from_numpy(self.latest.sum(0)).to(self.totals)

    def compute(self) -> dict[str, Tensor]:
        """Scores in percent, by name."""
        rows = self.scores(self.totals.cpu().double().numpy()[None])
        return {name: torch.tensor(float(values[0])) for name, values in rows.items()}


def is_first_process() -> bool:
    """Tell whether this process is the only one, or the first of those that score together: what all know, it says."""
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


def rates(parts: TrialScores, wholes: TrialScores) -> TrialScores:
    """Percentages of wholes; of none at all it is 100 where there is a part and else 0, as in sacreBLEU's TER."""
    return 100 * np.where(wholes > 0, parts / np.maximum(wholes, 1), parts > 0)
