"""Translation of lines that follow each other: what the encoder has read stays before the next."""

import logging
from collections.abc import Iterator, Sequence
from copy import copy, deepcopy

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.sequences import TokenSequences
from seq2seq.data.spreading import Item
from seq2seq.data.streams import stream_rows
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.request import Request
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.source_streams import SourceStreams, check_carries
from seq2seq.shapes import Lengths, Source
from seq2seq.translation.resets import Past, Reset
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)


class CarriedTranslator(Translator):
    """A translator whose lines are one stream: each is read on from the one before, until the `reset` says otherwise.

    It has the model, search and options of another. A call begins anew, with its texts cut into `rows` streams that are
    read side by side, `hypotheses` with one; `translations` goes on where the last ended, in one stream. Raises
    UserError at several models, and at one that looks at what is still to come.
    """

    def __init__(self, translator: Translator, reset: Reset, *, rows: int = 1) -> None:
        if rows < 1:
            raise UserError(f"rows must be at least 1, but is {rows}.")
        vars(self).update(vars(translator))
        if not isinstance(self.stepper, Seq2Seq):
            raise UserError("run must name one run with reset, no export, and fusion must be none: one model reads on.")
        check_carries(self.stepper)
        reset.prepare(self.tokenizers.source)
        self.reset, self.rows = reset, rows
        self.begin(1)

    def share(self, count: int, rank: int, processes: int) -> slice:
        """The places of those of so many texts that one of several processes is to translate, which follow each other.

        Its first is read from nothing.
        """
        return slice(count * rank // processes, count * (rank + 1) // processes)

    def some(self, lines: Sequence[Item], most: int | None) -> Sequence[Item]:
        """The first of some lines, at most so many: a stream with holes would be another."""
        return lines[:most]

    def anew(self) -> "CarriedTranslator":
        """A translator by the same model and rule, whose stream has read nothing, and is its own."""
        own = copy(self)
        own.begin(1)
        return own

    def begin(self, count: int) -> None:
        """Begin anew, with so many streams."""
        assert isinstance(self.stepper, Seq2Seq)
        self.streams = SourceStreams(self.stepper, count)
        self.pasts, self.resets = [Past()] * count, [deepcopy(self.reset) for _ in range(count)]

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.begin(max(1, min(self.rows, len(texts))))
        found = super().__call__(texts)
        self.begin(1)
        return found

    def hypotheses(self, texts: Sequence[str]) -> list[Hypothesis]:
        self.begin(1)
        found = super().hypotheses(texts)
        self.begin(1)
        return found

    def score(
        self, sources: Sequence[str], targets: Sequence[Sequence[int]], *, first_number: int | None = 1
    ) -> list[Hypothesis]:
        """Raise UserError, as targets are scored in batches of like lengths."""
        raise UserError("lines that follow each other cannot be scored by themselves: score them without reset.")

    def _encode(self, texts: Sequence[str], first_number: int | None = 1) -> TokenSequences:
        self.coming = super()._encode(texts, first_number)
        return self.coming

    def _batches(self, rows: Int[Tensor, " rows"], lengths: Int[Tensor, " lines"]) -> Iterator[Int[Tensor, " batch"]]:
        """The lines that are read at once: the n-th of each stream, which is not empty."""
        for numbers in stream_rows(len(lengths), self.streams.count):
            lines = [(place, number, self.coming.row(number)) for place, number in enumerate(numbers.tolist())]
            self._renew([place for place, _, ids in lines if ids and self.resets[place].due(self.pasts[place], ids)])
            filled = [(place, number) for place, number, ids in lines if ids]
            if filled:
                self.places = [place for place, _ in filled]
                self.streams.turn_to(torch.tensor(self.places))
                yield torch.tensor([number for _, number in filled])
            for place, _, ids in lines:
                broken = ids and place in self.streams.broken
                self.pasts[place] = Past() if broken else self.pasts[place].behind(ids)

    def _renew(self, places: Sequence[int]) -> None:
        if places:
            rows = torch.zeros(self.streams.count, dtype=torch.bool)
            rows[list(places)] = True
            self.streams.renew(rows)
            for place in places:
                self.pasts[place] = Past()

    def _search(self, source: Source, lengths: Lengths, request: Request) -> list[list[Hypothesis]]:
        found = self.search(self.streams, source, lengths, request)
        if broken := self.streams.broken:
            logger.warning("%d streams began anew, as what the encoder had read was not finite", len(broken))
        for place, own in zip(self.places, found, strict=True):
            self.resets[place].see(own[0])
        return found
