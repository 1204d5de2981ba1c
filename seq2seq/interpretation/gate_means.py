"""Means of gates over many sentences."""

from collections import Counter

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.interpretation.intervention import gates_of_a_step
from seq2seq.interpretation.trace import named_cells, trace
from seq2seq.masking import length_mask
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Lengths, Source, TargetIds

Means = dict[tuple[str, str], Float[Tensor, " units"]]  # of gates, by the names of cell and gate


class GateMeans:
    """Means of all gates over the steps of sentences, none of them padding."""

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        self.sums: dict[tuple[str, str], Tensor] = {}
        self.steps: Counter[str] = Counter()

    def add(self, source: Source, lengths: Lengths, target: TargetIds) -> None:
        """Count in the steps of a model that is forced through targets, `batch target`, which begin with BOS."""
        for name, cell in trace(self.model, source, lengths, target).cells.items():
            mask = length_mask(cell.lengths, cell.hidden.shape[1])
            self.steps[name] += int(mask.sum())
            for gate, values in cell.gates.items():
                total = (values * mask.unsqueeze(-1)).double().sum((0, 1))
                self.sums[name, gate] = self.sums.get((name, gate), torch.zeros_like(total)) + total

    def means(self) -> Means:
        """The mean of each gate, by the names of cell and gate; none of one that a step sets more than once."""
        return {
            (name, gate): self.sums[name, gate] / self.steps[name]
            for name, cell in named_cells(self.model).items()
            for gate, (_, times) in gates_of_a_step(cell).items()
            if times == 1 and (name, gate) in self.sums
        }
