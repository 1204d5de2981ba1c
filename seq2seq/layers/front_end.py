"""Layers that run over vectors before the recurrent ones."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.highway import HighwayLayer
from seq2seq.masking import shortened, without_padding
from seq2seq.shapes import Lengths, TimeVectors

Shortened = Float[Tensor, "batch fewer channel"]


class FrontEnd(nn.Module, ABC):
    """Maps the vectors of an input to those that the recurrent layers read, one for each `stride` of them."""

    stride: int
    output_size: int

    @abstractmethod
    def forward(self, vectors: TimeVectors, lengths: Lengths) -> tuple[Shortened, Lengths]:
        """Features of every position, `batch fewer channel`, and how many positions each sentence has."""


class ConvolutionalFrontEnd(FrontEnd):
    """Filters of several widths over time, relu, and highway layers (Kim et al. 2016; Lee et al. 2017).

    There are `channels` filters of each width. Position j of the result looks at input j stride to (j + 1) stride - 1
    and, as far as a width goes, at as many neighbours on both sides; what lies outside the sentence is 0. Raises
    UserError at a width, number or stride below 1, and if no width reaches over a stride, which would skip input.
    """

    def __init__(
        self, input_size: int, *, widths: Sequence[int], channels: int, stride: int = 1, highway: int = 2
    ) -> None:
        super().__init__()
        _check(widths, channels, stride, highway)
        self.stride = stride
        self.output_size = channels * len(widths)
        self.filters = nn.ModuleList(Convolution(input_size, channels, width, stride) for width in widths)
        self.highway = nn.Sequential(*(HighwayLayer(self.output_size) for _ in range(highway)))

    def forward(self, vectors: TimeVectors, lengths: Lengths) -> tuple[Shortened, Lengths]:
        vectors = without_padding(vectors, lengths).transpose(1, 2)
        found = torch.cat([filters(vectors) for filters in self.filters], 1)
        return self.highway(functional.relu(found).transpose(1, 2)), shortened(lengths, self.stride)


class Convolution(nn.Module):
    """A convolution that has one window for every stride, the middle of the one on that of the other.

    Initialised for a relu (He et al. 2015).
    """

    def __init__(self, input_size: int, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(channels, input_size, width))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, vectors: Float[Tensor, "batch size time"]) -> Float[Tensor, "batch channel fewer"]:
        width, time = self.weight.shape[2], vectors.shape[2]
        before = (width - self.stride) // 2
        after = (-(-time // self.stride) - 1) * self.stride + width - time - before
        padded = functional.pad(vectors, (before, after))
        return functional.conv1d(padded, self.weight, self.bias, self.stride)


def _check(widths: Sequence[int], channels: int, stride: int, highway: int) -> None:
    if not widths or min(widths) < 1:
        raise UserError(f"widths must be one or more, each at least 1, but are {list(widths)}.")
    for name, value, least in (("channels", channels, 1), ("stride", stride, 1), ("highway", highway, 0)):
        if value < least:
            raise UserError(f"{name} must be at least {least}, but is {value}.")
    if max(widths) < stride:
        raise UserError(
            f"stride must not exceed the greatest of widths, {max(widths)}, but is {stride}: "
            "input between the windows would be lost."
        )
