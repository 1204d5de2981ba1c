"""Spans for which each unit keeps its memory, by the gates of many sentences."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.interpretation.gates import Units, fading
from seq2seq.interpretation.trace import named_cells, trace
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Lengths, Source, TargetIds


@dataclass(frozen=True)
class MemorySpan:
    """Steps in which the memory of each unit of a cell fades to 1/e.

    `of_mean` is -1 / ln of the mean of its keep gate, as a trace has it. `of_product` is -1 / the mean of ln f: what
    the product of the gates does, and so what is left of a value. It is never longer: one shut gate ends what many open
    ones kept.
    """

    steps: int
    sentences: int
    of_mean: Units
    of_product: Units


class MemorySpans:
    """Sums of the gates that keep the memory over sentences, none of their steps padding."""

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        self.keep_gates = {name: cell.keep_gate for name, cell in named_cells(model).items() if cell.keep_gate}
        self.sums: dict[str, Float[Tensor, "2 units"]] = {}  # of gates, and of their logarithms
        self.counts: dict[str, tuple[int, int]] = {}

    def add(self, source: Source, lengths: Lengths, target: TargetIds) -> None:
        """Count in the steps of a model that is forced through targets, `batch target`, which begin with BOS."""
        cells = trace(self.model, source, lengths, target).cells
        for name, gate in self.keep_gates.items():
            cell = cells[name]
            kept = cell.gates[gate][cell.mask].double()  # (steps, units)
            sums = torch.stack([kept.sum(0), kept.clamp(min=torch.finfo(torch.float64).tiny).log().sum(0)])
            self.sums[name] = self.sums.get(name, torch.zeros_like(sums)) + sums
            steps, sentences = self.counts.get(name, (0, 0))
            self.counts[name] = steps + len(kept), sentences + len(source)

    def spans(self) -> dict[str, MemorySpan]:
        """The constants of cells that have a gate which keeps the memory, by name."""
        found = {}
        for name, sums in self.sums.items():
            steps, sentences = self.counts[name]
            mean, log = (sums / steps).cpu()
            found[name] = MemorySpan(steps, sentences, fading(mean), fading(log.exp()))
        return found
