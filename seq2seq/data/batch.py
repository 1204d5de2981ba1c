"""Batches of pairs: all that one training step sees."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional

from seq2seq.data.sequences import TokenSequences
from seq2seq.shapes import Lengths, SourceIds, TargetIds
from seq2seq.symbols import BOS, PAD


@dataclass  # Lightning refuses to convert frozen ones, which it does where precision is bf16-true or 64-true
class Batch:
    """Pairs of sentences, padded to `batch source` and `batch target`.

    `target_inputs` start with BOS, `target_outputs` end with EOS.
    """

    source: SourceIds
    source_lengths: Lengths
    target_inputs: TargetIds
    target_outputs: TargetIds
    # Target tokens (EOS counted) that the loss is divided by: those of the whole step, all its batches and processes.
    step_tokens: float

    @property
    def target_mask(self) -> Bool[Tensor, "batch target"]:
        """The mask, `batch target`, that is True where there is a token to predict."""
        return self.target_outputs != PAD

    def to(self, device: torch.device, **options: Any) -> "Batch":
        """Move the tensors to a device and return them as a new batch; Lightning calls this."""
        moved: dict[str, Any] = {
            name: value.to(device, **options) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)


@dataclass(frozen=True)
class PairSequences:
    """Pairs of tokenised sentences: row i of one side answers row i of the other."""

    source: TokenSequences
    target: TokenSequences

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, rows: Tensor, *, step_tokens: float, silent: bool = False) -> Batch:
        """The batch of the given rows; a silent one has nothing to predict and so adds no loss."""
        source, source_lengths = self.source.padded(rows, end=True)
        outputs, _ = self.target.padded(rows, end=True)
        inputs = functional.pad(outputs[:, :-1], (1, 0), value=BOS)
        if silent:
            outputs = torch.full_like(outputs, PAD)
        return Batch(source, source_lengths, inputs, outputs, step_tokens)
