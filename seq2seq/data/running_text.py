"""Running text: documents end to end, in rows that go on from batch to batch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from seq2seq.data.batch import PairSequences, StreamBatch
from seq2seq.data.batching import TokenBudget
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example
from seq2seq.data.sequences import SequenceWriter, TokenSequences
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.symbols import BOS, EOS, PAD

_LINES_AT_ONCE = 8192  # whose ids are lists of Python for a moment
_WINDOW = 256  # tokens of whole documents at a time; states are carried on, so it makes no difference to the result


@dataclass
class TextBatch(StreamBatch):
    """A batch of running text; `rate` is what the learning rate is multiplied by."""

    rate: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Windows(PairSequences):
    """Windows of all rows, batch after batch: window number n * rows + r is the n-th of row r.

    They are targets of sources without a token. A row that has come to its end has windows without tokens, as long as
    others go on.
    """

    fresh: Bool[Tensor, " windows"]
    rates: Float[Tensor, " windows"]

    @property
    def counts(self) -> Int[Tensor, " windows"]:
        """Numbers of tokens to predict: one more than the lengths of targets, which have an end of their own."""
        return self.target.lengths + 1

    def batch(self, rows: Int[Tensor, " rows"], *, step_tokens: float, silent: bool = False) -> TextBatch:
        """The batch of the given windows; a silent one has nothing to predict and so adds no loss."""
        counts, fresh, flat = self.counts[rows], self.fresh[rows], self.target.flat
        inside = torch.arange(max(1, int(counts.max()))) < counts.unsqueeze(1)
        places = self.target.starts[rows].unsqueeze(1) + torch.arange(inside.shape[1])
        last = len(flat) - 1
        outputs = flat[places.clamp(max=last)].long().masked_fill(~inside, PAD)
        inputs = flat[(places - 1).clamp(0, last)].long().masked_fill(~inside, PAD)
        inputs[:, 0] = torch.where(fresh, BOS, inputs[:, 0])
        if silent:
            outputs = torch.full_like(outputs, PAD)
        ends = torch.full((len(rows), 1), EOS)  # of a source without tokens
        return TextBatch(
            *(ends, torch.ones(len(rows), dtype=torch.long), inputs, outputs, step_tokens),
            fresh=fresh,
            rate=float(self.rates[rows[0]]),
        )


class RunningText:
    """Documents in `rows` of like length; every row is read from its beginning to its end, a window at a time.

    No window reaches beyond the end of its document, and the next begins without a state. Documents are cut where a
    row ends, unless they are to stay `whole`: then rows are as long as that allows.
    """

    def __init__(self, documents: TokenSequences, rows: int, *, whole: bool = False) -> None:
        self.documents, self.rows, self.whole = documents, rows, whole

    def windows(self, order: np.ndarray, lengths: Iterable[int], full: int) -> tuple[Windows, list[Tensor]]:
        """Windows of the documents in an order, of at most the given lengths, and the window numbers of each batch.

        The rate of a window is its greatest length over the `full` one.
        """
        sizes = self.documents.lengths.numpy()[order] + 1
        ends = np.cumsum(sizes)
        cuts = self._cuts(ends)
        found = list(_walk(cuts, np.union1d(np.append(ends - sizes, ends[-1]), cuts), lengths))
        columns = zip(*(one[:3] for one in found), strict=True)
        starts, counts, fresh = (torch.from_numpy(np.concatenate(column)) for column in columns)
        rates = torch.tensor([one[3] / full for one in found]).repeat_interleave(self.rows)
        every = torch.arange(len(found) * self.rows).unflatten(0, (-1, self.rows))
        targets = TokenSequences(self._flat(order, sizes), starts, counts - 1)
        none = torch.zeros_like(starts)
        sources = TokenSequences(torch.tensor([PAD]), none, none)
        return Windows(source=sources, target=targets, fresh=fresh, rates=rates), list(every)

    def _cuts(self, ends: np.ndarray) -> np.ndarray:
        """Places where rows begin, and the end of the last one."""
        even = np.arange(self.rows + 1) * ends[-1] // self.rows
        if not self.whole:
            return even
        bounds = np.append(0, ends)
        return bounds[np.searchsorted(bounds, even)]

    def _flat(self, order: np.ndarray, sizes: np.ndarray) -> Integer[Tensor, " tokens"]:
        """The documents' tokens end to end, EOS behind each."""
        tokens, starts = self.documents.flat.numpy(), self.documents.starts.numpy()[order]
        found, place = np.full(sizes.sum(), EOS, dtype=tokens.dtype), 0
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):  # at once, it takes 24 bytes for a token
            found[place : place + size - 1] = tokens[start : start + size - 1]
            place += size
        return torch.from_numpy(found)


def _walk(
    cuts: np.ndarray, bounds: np.ndarray, lengths: Iterable[int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """Starts, counts and freshness of the windows of every row, and their greatest length, until all rows have ended.

    At a bound a document, or a row, begins.
    """
    places, ends, left = cuts[:-1].copy(), cuts[1:], iter(lengths)
    while (places < ends).any():
        most = next(left)
        number = np.searchsorted(bounds, places, side="right")
        counts = np.minimum(most, np.minimum(bounds[number.clip(max=len(bounds) - 1)], ends) - places)
        yield places.copy(), counts, bounds[number - 1] == places, most
        places += counts


def row_count(budget: TokenBudget, window: int) -> int:
    """The number of rows of windows that a budget allows, of which the sources take nothing."""
    return max(1, min(budget.max_tokens // window, budget.max_sentences))


def whole_documents(documents: TokenSequences, budget: TokenBudget) -> tuple[Windows, list[Tensor]]:
    """Windows of documents in their own order, none of them cut by a row, and the window numbers of each batch."""
    rows = min(row_count(budget, _WINDOW), len(documents))
    return RunningText(documents, rows, whole=True).windows(np.arange(len(documents)), repeat(_WINDOW), _WINDOW)


def documents_of(examples: Sequence[Example], tokenizer: Tokenizer) -> TokenSequences:
    """The targets of examples as token ids, each a document: EOS stands behind every line but the last, too."""
    lines = (
        (line, number == 0)
        for example in examples
        for target in example.targets
        for number, line in enumerate(target.split("\n"))
    )
    writer, begins = SequenceWriter(), bytearray()
    while some := list(islice(lines, _LINES_AT_ONCE)):
        encoded = tokenizer.encode([line for line, _ in some])
        writer.extend([ids if first else [EOS, *ids] for ids, (_, first) in zip(encoded, some, strict=True)])
        begins += bytes(first for _, first in some)
    return writer.sequences().joined(np.flatnonzero(np.frombuffer(begins, dtype=bool)))


def lines_of(examples: Sequence[Example]) -> Examples:
    """The examples that tokenizers are learnt from: of running text every line, as what both sides are to know."""
    return Examples.of(
        part
        for example in examples
        for part in (
            [example]
            if example.source
            else [Example(line, (line,)) for target in example.targets for line in target.split("\n")]
        )
    )
