"""Streams of pairs: a file's lines in their order, in rows that go on from batch to batch."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from seq2seq.data.batch import PairSequences, StreamBatch
from seq2seq.data.batching import TokenBudget
from seq2seq.errors import UserError

_DEV_LINES = 50  # of a row of dev, at least


@dataclass(frozen=True)
class StreamOptions:
    """Options of training on streams: each pair of train follows the one before it, as the lines of its file do.

    The encoder's state is carried from line to line, and detached. With probability `fresh_rate` a line is read from
    nothing, as the first of a stream is: so a cold start is learnt, too (after Narayanan et al. 2019). Raises UserError
    if the rate is no probability.
    """

    fresh_rate: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.fresh_rate <= 1:
            raise UserError(f"fresh_rate must be at least 0 and at most 1, but is {self.fresh_rate}.")


@dataclass(frozen=True, kw_only=True)
class StreamPairs(PairSequences):
    """Pairs of streams that are cut into so many rows, and which of them are read from nothing."""

    fresh: Bool[Tensor, " pairs"]
    rows: int

    def batch(self, rows: Tensor, *, step_tokens: float, silent: bool = False) -> StreamBatch:
        """The batch of the given pairs, whose row i goes on where that of the batch before ended."""
        found = super().batch(rows, step_tokens=step_tokens, silent=silent)
        return StreamBatch(
            *(found.source, found.source_lengths, found.target_inputs, found.target_outputs, step_tokens),
            alignments=found.alignments,
            fresh=self.fresh[rows],
            silent=silent,
            rows=self.rows,
        )


def stream_count(pairs: PairSequences, budget: TokenBudget) -> int:
    """The number of streams that are read side by side: as many as a batch of the longest lines has room for."""
    source, target = (int(side.lengths.max()) + 1 for side in (pairs.source, pairs.target))
    return max(1, min(budget.max_tokens // (source + target), budget.max_sentences, len(pairs)))


def dev_row_count(pairs: PairSequences, most: int) -> int:
    """The number of rows of dev, at most so many: few, so that hardly a line is read from nothing for a row's sake."""
    return max(1, min(most, len(pairs) // _DEV_LINES))


def stream_rows(count: int, rows: int) -> list[np.ndarray]:
    """Places of `count` lines, batch after batch, when they are cut into so many rows: the n-th line of each.

    The first rows are the longer ones, if there are any.

    >>> [batch.tolist() for batch in stream_rows(7, 3)]
    [[0, 3, 5], [1, 4, 6], [2]]
    """
    rows = min(rows, count)
    if rows == 0:
        return []
    sizes = count // rows + (np.arange(rows) < count % rows)
    starts = sizes.cumsum() - sizes
    return [starts[sizes > number] + number for number in range(int(sizes.max()))]


class Streams:
    """Pairs as streams: one ends where a line of the file was left out, as an empty one is, or where a row begins.

    Raises UserError where a source has several targets, of which a stream can go on from one alone.
    """

    def __init__(self, pairs: PairSequences, rows: int) -> None:
        owners = torch.arange(len(pairs)) if pairs.owners is None else pairs.owners
        steps = owners.diff(prepend=owners[:1] - 2)
        if bool((steps == 0).any()):
            raise UserError("carry needs sources with one target each, but some of train or dev have several.")
        self.pairs, self.rows = pairs, rows
        self.begins = (steps != 1).numpy()

    def in_order(self) -> tuple[StreamPairs, list[Tensor]]:
        """The pairs as they are, and the batches of their numbers."""
        return self._planned(np.arange(len(self.pairs)), self.begins)

    def epoch(self, number: int, seed: int, fresh_rate: float) -> tuple[StreamPairs, list[Tensor]]:
        """The same with the streams in another order, from another line on, and some lines read from nothing.

        All of it is a function of the seed and the number of the epoch.
        """
        random = np.random.default_rng((seed, number))
        streams = np.split(np.arange(len(self.pairs)), np.flatnonzero(self.begins)[1:])
        order = np.concatenate([streams[place] for place in random.permutation(len(streams))])
        order = np.roll(order, -int(random.integers(len(order))))
        follows = order == np.roll(order, 1) + 1
        drawn = random.random(len(order)) < fresh_rate
        return self._planned(order, self.begins[order] | ~follows | drawn)

    def _planned(self, order: np.ndarray, begins: np.ndarray) -> tuple[StreamPairs, list[Tensor]]:
        places = stream_rows(len(order), self.rows)
        fresh = np.zeros(len(order), dtype=bool)
        fresh[order] = begins
        fresh[order[places[0]]] = True
        given = {name: value for name, value in vars(self.pairs).items() if name != "owners"}
        pairs = StreamPairs(**given, fresh=torch.from_numpy(fresh), rows=self.rows)
        return pairs, [torch.from_numpy(order[own]) for own in places]
