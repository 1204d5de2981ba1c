"""Examples in flat arrays: their texts as one row of bytes, and a few bytes beside it for each."""

import logging
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import overload

import numpy as np

from seq2seq.data.alignments import Alignment
from seq2seq.data.examples import Example
from seq2seq.data.series import Series

logger = logging.getLogger(__name__)

_AT_ONCE = 4096  # examples that are made together, which is faster than one by one
_SMALL = 1 << 31


class Examples(Sequence[Example]):
    """Examples that are made anew whenever they are asked for; as Python's objects, they would take ten times as much.

    Equal to any sequence of the same examples. Those that are chosen share their texts with all others.
    """

    def __init__(self, writer: "ExampleWriter", rows: np.ndarray | None = None) -> None:
        self._written = writer
        self._rows = np.arange(len(writer), dtype=np.int32) if rows is None else rows

    @classmethod
    def of(cls, examples: Iterable[Example]) -> "Examples":
        """The examples, in flat arrays if they were not yet."""
        if isinstance(examples, cls):
            return examples
        writer = ExampleWriter()
        for example in examples:
            writer.add(example)
        return writer.examples()

    def chosen(self, places: np.ndarray) -> "Examples":
        """The examples at the given places, in their order; texts are not copied."""
        return Examples(self._written, self._rows[places])

    @property
    def pair_count(self) -> int:
        """The number of pairs: of all targets."""
        return self._written.target_count(self._rows)

    @property
    def aligned(self) -> bool:
        """Tell whether any of them is aligned."""
        known = self._written.alignments
        return bool(known) and any(row in known for row in self._rows.tolist())

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> "Examples": ...
    def __getitem__(self, place: int | slice) -> "Example | Examples":
        if isinstance(place, slice):
            return Examples(self._written, self._rows[place])
        return next(self._written.made(self._rows[place][None]))

    def __iter__(self) -> Iterator[Example]:
        for start in range(0, len(self._rows), _AT_ONCE):
            yield from self._written.made(self._rows[start : start + _AT_ONCE])

    def __add__(self, others: Iterable[Example]) -> "Examples":
        return Examples.of(chain(self, others))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(own == its for own, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"Examples([{shown}{', ...' if len(self) > 3 else ''}])"


class ExampleWriter:
    """Takes examples one by one and keeps what is in them in flat arrays."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("q", [0])  # of texts: the source of an example, its targets, the source of the next
        self._firsts = array("q", [0])  # the number of the source among texts
        self._corpora, self._count = array("h"), 0
        self._names: dict[str, int] = {}
        self.alignments: dict[int, tuple[Alignment, ...]] = {}
        self.series: dict[int, Series] = {}  # sources that are no texts
        self.answers: dict[int, tuple[str, ...]] = {}  # targets that are none

    def __len__(self) -> int:
        return self._count

    def add(self, example: Example) -> None:
        """Take an example behind the others."""
        for text in (example.source, *example.targets):
            self._text += text.encode("utf-8", "surrogatepass")
            self._ends.append(len(self._text))
        if example.alignments:
            self.alignments[len(self)] = example.alignments
        if isinstance(example.source, Series):
            self.series[len(self)] = example.source
        if any(isinstance(target, Series) for target in example.targets):
            self.answers[len(self)] = example.targets
        self._firsts.append(len(self._ends) - 1)
        self._count += 1
        self._corpora.append(self._names.setdefault(example.corpus, len(self._names)))

    def examples(self) -> Examples:
        """Examples, all that were taken; no other can be from then on."""
        kind = np.uint32 if len(self._text) < _SMALL else np.int64
        self._bounds = np.array(self._ends, dtype=kind)
        self._numbers: np.ndarray | None = np.array(self._firsts, dtype=kind)
        if len(self._ends) == 2 * len(self) + 1 and (np.diff(self._numbers) == 2).all():
            self._numbers = None  # each source has one target, so that places say it
        self._corpus_names = list(self._names)
        if len(self._names) == 1:
            self._corpora = array("h")
        del self._ends, self._firsts, self._names
        return Examples(self)

    def _first_texts(self, rows: np.ndarray) -> np.ndarray:
        """The numbers of texts that examples begin with."""
        return 2 * rows.astype(np.int64) if self._numbers is None else self._numbers[rows].astype(np.int64)

    def target_count(self, rows: np.ndarray) -> int:
        """The number of targets that the examples of some rows have."""
        return int((self._first_texts(rows + 1) - self._first_texts(rows) - 1).sum())

    def made(self, rows: np.ndarray) -> Iterator[Example]:
        """The examples of some rows."""
        firsts, behind = self._first_texts(rows), self._first_texts(rows + 1)
        counts = behind - firsts
        places = np.repeat(firsts - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
        view = memoryview(self._text)
        ends = zip(self._bounds[places].tolist(), self._bounds[places + 1].tolist(), strict=True)
        texts = iter([str(view[start:end], "utf-8", "surrogatepass") for start, end in ends])
        corpora = [0] * len(rows) if not self._corpora else np.frombuffer(self._corpora, np.int16)[rows].tolist()
        for row, count, corpus in zip(rows.tolist(), counts.tolist(), corpora, strict=True):
            source, targets = next(texts), tuple(islice(texts, count - 1))
            source, targets = self.series.get(row, source), self.answers.get(row, targets)
            yield Example(source, targets, self.alignments.get(row, ()), self._corpus_names[corpus])


def of_rows(pairs: Iterable[tuple[str, str]], place: str, *, in_order: bool) -> Examples:
    """Examples of the rows of a place, whatever their format: one per row in order, or else per source; see `group`."""
    if in_order:
        return Examples.of(Example(source, (target,)) for source, target in pairs)
    return group(pairs, place)


def group(pairs: Iterable[tuple[str, str]], place: str = "") -> Examples:
    """Examples, one per distinct source, in order of first appearance, with its distinct targets.

    A pair that comes again counts once; how often that was is logged, with the place that pairs are from.
    """
    writer, hashes = ExampleWriter(), array("q")
    for source, target in pairs:
        writer.add(Example(source, (target,)))
        hashes.append(hash(source))
    found = _merged(writer.examples(), np.array(hashes, dtype=np.int64))
    if place and (repeated := len(hashes) - found.pair_count):
        logger.warning(
            "%s: left out %d pair%s that repeat%s an earlier one (each counts once)",
            *(place, repeated, *(("", "s") if repeated == 1 else ("s", ""))),
        )
    return found


def _merged(examples: Examples, hashes: np.ndarray) -> Examples:
    """The examples with those of one source made one; their hashes tell which need not be compared."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    like_last = np.append(False, ordered[1:] == ordered[:-1])[: len(order)]
    if not like_last.any():
        return examples
    alike = np.flatnonzero(like_last | np.append(like_last[1:], False))
    firsts, known = np.arange(len(examples)), dict[str, int]()
    rows = order[alike]
    for row, goes_on, example in zip(rows.tolist(), like_last[alike].tolist(), examples.chosen(rows), strict=True):
        if not goes_on:
            known = {}
        firsts[row] = known.setdefault(example.source, row)
    return Examples.of(_joined(examples, firsts))


def _joined(examples: Examples, firsts: np.ndarray) -> Iterator[Example]:
    """Examples by the first of those that have their source, each with the targets of all of these."""
    order = np.argsort(firsts, kind="stable")
    source, targets, last = "", dict[str, None](), -1
    for first, example in zip(firsts[order].tolist(), examples.chosen(order), strict=True):
        if first != last and last >= 0:
            yield Example(source, tuple(targets))
            targets = {}
        source, last = example.source, first
        targets.update(dict.fromkeys(example.targets))
    yield Example(source, tuple(targets))
