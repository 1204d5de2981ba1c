"""An encoder read as a stream, chunk by chunk, with statistics of its cells and of places that are marked."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.interpretation.bins import Bins
from seq2seq.interpretation.recording import Record, Steps, encoder_records, evaluating, recording
from seq2seq.interpretation.stream_statistics import WINDOW, CellStatistics
from seq2seq.layers.recurrent.blockwise import BlockwiseState
from seq2seq.layers.recurrent.stack import Encoded
from seq2seq.models.encoder import Encoder, EncoderState

SHOWN = 12  # marks whose surroundings are kept
CHUNK = 256  # tokens that are read at once


class Changed(NamedTuple):
    """A unit whose memory changed before a mark, in deviations from what it was: on the average, and at each token."""

    cell: str
    number: int
    mean: float
    course: Float[Tensor, " tokens"]  # NaN where the cell has not been


@dataclass(frozen=True)
class Mark:
    """A marked place of a stream, behind `place` tokens, with the pieces before it and the units that changed most."""

    label: str
    place: int
    pieces: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()


class StreamReader:
    """Reads one stream by an encoder that reads one way, or block by block.

    Of what it has read it keeps sums by stretch, the last few steps, and the surroundings of the first few marks, so
    that its memory does not grow with the stream. Raises UserError if the encoder reads whole sequences alone.
    """

    def __init__(self, encoder: Encoder) -> None:
        encoder.check_streams()
        self.encoder = encoder
        self.records = encoder_records(encoder)
        self.cells = [CellStatistics(record, _reduction(encoder, record)) for record in self.records]
        with evaluating(encoder):  # without masks of dropout
            self.state: EncoderState = encoder.start(1)
        self.tokens = 0
        self.resets = Bins(1)
        self.marks: list[Mark] = []
        self._origin = 0  # the token at which the state was last renewed
        self._steps = [0] * len(self.records)  # of each cell since then
        self._pieces: deque[str] = deque(maxlen=WINDOW)

    @property
    def since_reset(self) -> int:
        """Number of tokens that the state knows of."""
        return self.tokens - self._origin

    @contextmanager
    def reading(self) -> Iterator["StreamReader"]:
        """Have the encoder's cells note what they do, in evaluation mode, until the end."""
        with evaluating(self.encoder), recording(self.records), torch.no_grad():
            yield self

    def read(self, ids: Sequence[int], pieces: Sequence[str]) -> Iterator[Encoded]:
        """Values of the encoder for some more tokens, chunk by chunk; they may lag behind what is read."""
        for start in range(0, len(ids), CHUNK):
            yield self._advance(ids[start : start + CHUNK], ended=False)
            self._pieces.extend(pieces[start : start + CHUNK])

    def reset(self) -> Encoded:
        """Values that were still to come; the next token begins a stream anew. Counts as a reset if any was read."""
        left = self.end()
        if self.since_reset:
            self.resets.add(torch.tensor([self.tokens]), torch.ones(1, 1))
        self.state = self.encoder.start(1)
        self._origin, self._steps = self.tokens, [0] * len(self.records)
        return left

    def end(self) -> Encoded:
        """Values that were still to come of the tokens before, which end here."""
        return self._advance([], ended=True)

    def mark(self, label: str, units: int) -> None:
        """Keep what was before this place, with as many units as that, whose memory changed most."""
        if len(self.marks) >= SHOWN:
            self.marks.append(Mark(label, self.tokens))
            return
        start = self.tokens - len(self._pieces)
        found = [changed for cell in self.cells for changed in _changed(cell, start, self.tokens, units)]
        found.sort(key=lambda changed: -abs(changed.mean))
        self.marks.append(Mark(label, self.tokens, tuple(self._pieces), tuple(found[:units])))

    def _advance(self, ids: Sequence[int], *, ended: bool) -> Encoded:
        device = next(self.encoder.parameters()).device
        source = torch.tensor([list(ids)], dtype=torch.long, device=device)
        lengths, ends = torch.tensor([len(ids)], device=device), torch.tensor([ended], device=device)
        encoded, self.state = self.encoder.advance(source, lengths, self.state, ends)
        self.tokens += len(ids)
        self._count()
        return encoded

    def _count(self) -> None:
        """Count in the steps that the cells have just done, each at the first token that it stands for."""
        layers = dict(zip(self.encoder.stack.layers, self.state.stack.layers, strict=True))
        done = 0  # steps of a layer: its forward cell, which comes first, does each once
        for number, (record, cell) in enumerate(zip(self.records, self.cells, strict=True)):
            if record.direction == "forward":
                done = len(record.steps)
            if not record.steps:
                continue
            assert record.layer is not None  # all are an encoder's
            state = layers[record.layer]
            waiting = int(state.waiting.lengths[0]) if isinstance(state, BlockwiseState) else 0
            steps = record.take(torch.tensor([done + waiting], device=self.state.input.mask.device))
            first = self._steps[number]
            places = self._origin + torch.arange(first, first + done) * cell.reduction
            self._steps[number] += done
            cell.add(places, _first(steps, done))


def _reduction(encoder: Encoder, record: Record) -> int:
    """Number of tokens that one step of a cell stands for."""
    return next(reduction for part, reduction in encoder.parts if part is record.layer)


def _first(steps: Steps, count: int) -> Steps:
    """The first so many of some steps."""
    gates = {name: values[:, :count] for name, values in steps.gates.items()}
    return Steps(gates, steps.hidden[:, :count], None if steps.cell is None else steps.cell[:, :count])


def _changed(cell: CellStatistics, start: int, end: int, count: int) -> Iterator[Changed]:
    """The units of a cell that changed most, with what became of their memory from one token to before another."""
    if (found := cell.changes(start)) is None:
        return
    places, values = found
    means = values.mean(0)
    for number in means.abs().topk(min(count, len(means))).indices.tolist():
        course = torch.full((end - start,), torch.nan)
        for place, value in zip((places - start).tolist(), values[:, number].tolist(), strict=True):
            course[place : place + cell.reduction] = value
        yield Changed(cell.name, number, float(means[number]), course)
