"""Frames of many series in one flat tensor, padded a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
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
    padding: ClassVar[float] = 0.0
    end: ClassVar[int] = 0

    @classmethod
    def from_series(cls, series: Sequence[Series], features: int, *, timed: bool = False) -> "FrameSequences":
        """The sequences of series, each of so many features, and where they are timed of the gap behind these."""
        values = [one.values for one in series]
        if timed:
            values = [np.column_stack([own, one.gaps]) for own, one in zip(values, series, strict=True)]
        return cls.from_values(values, features + timed)

    @classmethod
    def from_values(cls, series: Sequence[Values], features: int) -> "FrameSequences":
        """The sequences of the values of series, each of so many features."""
        lengths = torch.tensor([len(values) for values in series], dtype=torch.long)
        flat = torch.full((int(lengths.sum()) + 1, features), cls.padding)
        starts = lengths.cumsum(0) - lengths
        for values, start in zip(series, starts.tolist(), strict=True):
            flat[start : start + len(values)] = torch.from_numpy(values)
        return cls(flat, starts, lengths)

    def padded(self, indices: Int[Tensor, " rows"], *, end: bool) -> tuple[Frames, Lengths]:
        """Frames of the given series, padded to `batch time feature`, and their lengths: nothing marks an end."""
        return self.flat[self._places(indices, 0)], self.lengths[indices]


@dataclass(frozen=True)
class TargetFrameSequences(FrameSequences):
    """Series that are to be written; padding is NaN, which no frame of a target is."""

    padding: ClassVar[float] = float("nan")
