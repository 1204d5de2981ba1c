"""References of one source, kept together as one example."""

import numpy as np
import torch
from torch import Tensor

from seq2seq.data.batching import BatchPlan, Rows, TokenBudget
from seq2seq.errors import UserError

EACH = "each"
REFERENCES = (EACH, "mean", "best", "log_sum")


def check_references(references: object) -> None:
    """Check the name of what is made of several references. Raises UserError if there is none of that name."""
    if references not in REFERENCES:
        raise UserError(f"references must be one of {', '.join(REFERENCES)}, but is {references!r}.")


class ExamplePlan(BatchPlan):
    """A plan that keeps all pairs of an example in one batch.

    `owners` are the numbers of the examples that pairs are of, ascending. Raises UserError if the pairs of an example
    are more than the budget allows.
    """

    def __init__(
        self,
        source_lengths: Rows,
        target_lengths: Rows,
        budget: TokenBudget,
        *,
        owners: Rows,
        pool_batches: int = 100,
        shuffle: bool = True,
        seed: int = 1,
    ) -> None:
        _, sizes = owners.unique_consecutive(return_counts=True)
        self.sizes = sizes.numpy()
        self.firsts = np.cumsum(self.sizes) - self.sizes
        widest = [_widest(lengths, self.firsts) for lengths in (source_lengths, target_lengths)]
        _refuse_large(self.sizes, widest[0] + widest[1], budget)
        super().__init__(
            torch.from_numpy(widest[0]),
            torch.from_numpy(widest[1]),
            budget,
            pool_batches=pool_batches,
            shuffle=shuffle,
            seed=seed,
        )

    def epoch(self, number: int, among: np.ndarray | None = None) -> list[Rows]:
        """The batches of an epoch, as row numbers; every row comes exactly once, beside all others of its example.

        It may be an epoch of some examples alone.
        """
        return [self._rows(examples.numpy()) for examples in super().epoch(number, among)]

    def _cut(self, order: np.ndarray) -> list[np.ndarray]:
        return self.budget.cut(self.source, self.target, order, self.sizes)

    def _rows(self, examples: np.ndarray) -> Rows:
        return torch.from_numpy(rows_of(self.firsts[examples], self.sizes[examples]))


def rows_of(firsts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The numbers from each first on, as many as its size, one stretch behind the other."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(firsts - before, sizes) + np.arange(int(sizes.sum()))


def shares_of(owners: Tensor) -> Tensor:
    """The share of each row in its example: one over the number of rows there, all of which are given."""
    _, places, counts = owners.unique(return_inverse=True, return_counts=True)
    return 1.0 / counts[places].double()


def too_large(owners: Rows, source_lengths: Rows, target_lengths: Rows, max_tokens: int) -> list[tuple[int, int]]:
    """First rows of examples whose pairs, padded, are over so many tokens together, and the rows behind their last."""
    _, counts = owners.unique_consecutive(return_counts=True)
    sizes = counts.numpy()
    firsts = np.cumsum(sizes) - sizes
    widths = _widest(source_lengths, firsts) + _widest(target_lengths, firsts)
    over = np.flatnonzero(sizes * widths > max_tokens)
    return [(int(firsts[place]), int(firsts[place] + sizes[place])) for place in over]


def _widest(lengths: Rows, firsts: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(lengths.numpy(), firsts) if len(firsts) else lengths.numpy()


def _refuse_large(sizes: np.ndarray, widths: np.ndarray, budget: TokenBudget) -> None:
    for name, needed in (("max_sentences", sizes), ("max_tokens", sizes * widths)):
        limit = getattr(budget, name)
        if len(needed) and (most := int(needed.max())) > limit:
            raise UserError(
                f"{name} must be at least {most}, as all references of a source are in one batch, but is {limit}: "
                "raise it, or leave references at each."
            )
