"""Pictures as an input: frames whose values keep their places."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from seq2seq.layers.inputs.input import Copies, Input, InputState, MakesFrontEnd, Shown, SourceSide, refuse_words
from seq2seq.layers.inputs.normalization import Normalization
from seq2seq.shapes import Lengths, Source, TimeVectors


class PictureInput(Input):
    """Frames less the mean of all values to train on, over their deviation, each value where it was.

    So recurrent layers over pictures, or a front end that sweeps over them, see what lies beside what: a frame is a
    picture, or one of its columns. Nothing is projected nor dropped. Raises UserError at options of tokens.
    """

    frames: ClassVar[bool] = True

    weight_type: Tensor

    def __init__(self, side: SourceSide, *, front_end: MakesFrontEnd | None = None) -> None:
        super().__init__()
        refuse_words(side)
        self.features = side.size
        self.normalization = Normalization(1, "standard")
        self.register_buffer("weight_type", torch.empty(0), persistent=False)  # empty: cast and moved with the weights
        self.front_end = front_end(side.size) if front_end else None

    @property
    def width(self) -> int:
        return self.features

    def prepare(self, source: np.ndarray) -> None:
        """Find the mean and deviation of all values, in float64."""
        self.normalization.prepare(source.reshape(-1, 1))

    def forward(self, source: Source, lengths: Lengths | None = None) -> TimeVectors:
        return self.normalization(source).to(self.weight_type.dtype)

    def shown(self, source: Source) -> Shown:
        """Frames as they are drawn: on the one scale of all values."""
        return self.normalization(source)

    def occluded(self, source: Source) -> Copies:
        places = torch.eye(source.shape[1], dtype=torch.bool, device=source.device).unsqueeze(-1)
        return torch.where(places, self.typical, source)

    @property
    def typical(self) -> Tensor:
        """The frame that says nothing: the mean everywhere, `feature`."""
        return self.normalization.center.expand(self.features)

    def drawn(self, shape: tuple[int, int], random: torch.Generator) -> Source:
        normal = torch.randn(*shape, self.features, generator=random)
        factor = self.normalization.factor
        return self.typical + torch.where(factor > 0, normal / factor, 0.0)

    def start(self, count: int) -> InputState:
        return InputState((), torch.ones(count, self.width, device=self.weight_type.device))

    def advance(self, source: Source, lengths: Lengths, state: InputState) -> tuple[TimeVectors, InputState]:
        return self(source), state
