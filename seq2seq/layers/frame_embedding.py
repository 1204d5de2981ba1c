"""Frames that a decoder has written, to vectors."""

from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.inputs.normalization import Normalization
from seq2seq.layers.linear import linear
from seq2seq.shapes import TimeVectors

WrittenFrames = Float[Tensor, "batch time value"]


class FrameEmbedding(nn.Module):
    """Vectors of written frames: v = W z + b of the normalised frame z, and a vector of its own before the first.

    What stands before the first frame of a target is NaN, and so is its padding. Locked dropout is on what it returns.
    """

    def __init__(self, features: int, size: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.vocabulary_size = features  # numbers of a frame, where other targets have so many tokens
        self.normalization = Normalization(features, "standard")
        self.projection = linear(features, size)
        self.beginning = nn.Parameter(torch.randn(size) * size**-0.5)
        self.dropout = LockedDropout(dropout)

    @property
    def size(self) -> int:
        """Width of a vector."""
        return self.projection.out_features

    def forward(self, frames: WrittenFrames) -> TimeVectors:
        return self.dropout(self.undropped(frames))

    def undropped(self, frames: WrittenFrames) -> TimeVectors:
        """The vectors of frames, before locked dropout."""
        before = frames.isnan().any(-1, keepdim=True)
        known = self.normalization(frames).masked_fill(before, 0).to(self.projection.weight.dtype)
        vectors = self.projection(known)
        return torch.where(before, self.beginning.to(vectors.dtype), vectors)


Embedder: TypeAlias = Embedding | FrameEmbedding  # of what a decoder writes
