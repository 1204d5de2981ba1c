"""Frames of many series in one flat tensor, padded a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.sequences import TokenSequences
from seq2seq.data.series import Series, Values
from seq2seq.shapes import Frames, Lengths


@dataclass(frozen=True)
class FrameSequences(TokenSequences):
    """Series of any length, one behind the other; the last frame is padding, all 0."""

    flat: Float[Tensor, "frames feature"]

    @classmethod
    def from_series(cls, series: Sequence[Series], features: int) -> "FrameSequences":
        """The sequences of series, each of so many features."""
        return cls.from_values([one.values for one in series], features)

    @classmethod
    def from_values(cls, series: Sequence[Values], features: int) -> "FrameSequences":
        """The sequences of the values of series, each of so many features."""
        lengths = torch.tensor([len(values) for values in series], dtype=torch.long)
        flat = torch.zeros(int(lengths.sum()) + 1, features)
        starts = lengths.cumsum(0) - lengths
        for values, start in zip(series, starts.tolist(), strict=True):
            flat[start : start + len(values)] = torch.from_numpy(values)
        return cls(flat, starts, lengths)

    def padded(self, indices: Int[Tensor, " rows"], *, end: bool) -> tuple[Frames, Lengths]:
        """Frames of the given series, padded to `batch time feature`, and their lengths: nothing marks an end."""
        return self.flat[self._places(indices, 0)], self.lengths[indices]
