"""Plan which row numbers make up a batch under a token budget. Integers only."""

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.errors import UserError

Rows = Int[Tensor, " rows"]
_NARROW = 1 << 14  # tokens, below which the sum of two lengths is a number of two bytes


@dataclass(frozen=True)
class TokenBudget:
    """Limits of a batch: padded source and target tokens together, and sentences."""

    max_tokens: int
    max_sentences: int

    def cut(
        self, source: np.ndarray, target: np.ndarray, order: np.ndarray, sizes: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Batches of row numbers: stretches of `order` that follow each other, each as long as the budget allows.

        With `sizes`, each row stands for so many sentences of at most its lengths.
        """
        batches, start, count, width_source, width_target = [], 0, 0, 0, 0
        for position, row in enumerate(order.tolist()):
            wider_source = max(width_source, int(source[row]))
            wider_target = max(width_target, int(target[row]))
            size = 1 if sizes is None else int(sizes[row])
            count += size
            over = count > self.max_sentences or count * (wider_source + wider_target) > self.max_tokens
            if position > start and over:
                batches.append(order[start:position])
                start, count, wider_source, wider_target = position, size, int(source[row]), int(target[row])
            width_source, width_target = wider_source, wider_target
        return [*batches, order[start:]] if len(order) else []


class BatchPlan:
    """A plan of which rows make up which batch of which epoch, as a function of (seed, epoch) alone.

    Rows are shuffled, then each pool of about `pool_batches` batches is sorted by the length of the longer side and by
    the difference of both, and cut under the budget, then the batches are shuffled: little padding, and random company
    (Morishita et al. 2017). Lengths count EOS. Raises UserError if a pair is longer than the budget.
    """

    def __init__(
        self,
        source_lengths: Rows,
        target_lengths: Rows,
        budget: TokenBudget,
        *,
        pool_batches: int = 100,
        shuffle: bool = True,
        seed: int = 1,
    ) -> None:
        longest = int((source_lengths + target_lengths).max()) if len(source_lengths) else 0
        if longest > budget.max_tokens:
            raise UserError(
                f"max_tokens must be at least {longest}, the tokens of the longest pair, but is "
                f"{budget.max_tokens}: raise it or lower max_length."
            )
        kind = np.int16 if longest < _NARROW else np.int32  # there can be millions
        self.source: np.ndarray = source_lengths.numpy().astype(kind)
        self.target: np.ndarray = target_lengths.numpy().astype(kind)
        self.budget = budget
        self.pool_batches = pool_batches
        self.shuffle = shuffle
        self.seed = seed

    def within(self, budget: TokenBudget) -> "BatchPlan":
        """The plan under another budget."""
        changed = copy(self)
        changed.budget = budget
        return changed

    def epoch(self, number: int, among: np.ndarray | None = None) -> list[Rows]:
        """The batches of an epoch, as row numbers; every row comes exactly once, or every one of those given."""
        random = np.random.default_rng((self.seed, number))
        among = np.arange(len(self.source), dtype=np.int32) if among is None else among.astype(np.int32)
        rows = random.permutation(among) if self.shuffle else among
        batches = [batch for pool in self._pools(rows) for batch in self._sorted(pool)]  # all of them parts of `rows`
        if self.shuffle:
            random.shuffle(order := np.arange(len(batches)))
            batches = [batches[index] for index in order]
        return [torch.from_numpy(batch) for batch in batches]

    def _pools(self, rows: np.ndarray) -> list[np.ndarray]:
        if not len(rows):
            return []
        sentences = self.budget.max_tokens / float(np.add(self.source, self.target)[rows].mean())
        size = max(1, int(self.pool_batches * min(sentences, self.budget.max_sentences)))
        return np.split(rows, range(size, len(rows), size))

    def _sorted(self, pool: np.ndarray) -> list[np.ndarray]:
        source, target = self.source[pool], self.target[pool]
        pool[:] = pool[_side_by_side(np.maximum(source, target), source - target)]
        return self._cut(pool)

    def _cut(self, order: np.ndarray) -> list[np.ndarray]:
        return self.budget.cut(self.source, self.target, order)


def _side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The order by one number and, where it is the same, by another, up and down by turns.

    So neighbours are close in both, also where the first goes on by one.
    """
    turn = np.unique(first, return_inverse=True)[1] % 2
    return np.lexsort((np.where(turn, -second, second), first))
