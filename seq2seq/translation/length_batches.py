"""Batches of sources of like length."""

from collections.abc import Iterator

from jaxtyping import Int
from torch import Tensor


def length_batches(
    rows: Int[Tensor, " rows"], lengths: Int[Tensor, " lines"], *, most: int, tokens: int
) -> Iterator[Int[Tensor, " batch"]]:
    """Batches of the given rows, longest first, so that neighbours are of like length.

    A batch has at most so many rows, and with padding at most so many tokens, but at least one row.
    """
    order = rows[lengths[rows].argsort(descending=True, stable=True)]
    while len(order):
        count = max(1, min(most, tokens // int(lengths[order[0]])))
        yield order[:count]
        order = order[count:]
