"""The interface of outputs that write frames."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.frame_embedding import FrameEmbedding
from seq2seq.layers.inputs.normalization import Normalization
from seq2seq.layers.linear import linear
from seq2seq.layers.output.output import Losses, Output, Rows, WideScores
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.precise import precise

FrameRows = Float[Tensor, "rows value"]
_KINDS = ("standard", "robust", "none")  # by which a distance stays one


class Forecasts(NamedTuple):
    """Means of frames to come, in the data's units, and the standard deviations of their values, if there are any."""

    means: FrameRows
    deviations: FrameRows | None


class FrameOutput(Output):
    """The last layer of a model that writes frames: numbers, from which the loss of a frame is found.

    Frames are normalised by feature, as train has them; losses are of normalised frames, and summed over features.
    There are no tokens: what asks for scores of some is refused. Raises UserError at another normalisation.
    """

    frames: ClassVar[bool] = True
    columns: ClassVar[int]  # numbers of each feature

    def __init__(self, *, feature_size: int, embedding: FrameEmbedding, normalization: str = "standard") -> None:
        super().__init__()
        self.normalizer = "none"  # there are no probabilities
        if normalization not in _KINDS:
            raise UserError(f"normalization must be one of {', '.join(_KINDS)}, but is {normalization!r}.")
        features = embedding.vocabulary_size
        embedding.normalization = self.normalization = Normalization(features, normalization)
        self.projection = linear(feature_size, features * self.columns)

    def take_in(self, frames: np.ndarray) -> None:
        """Find the statistics of all target frames to train on, in float64, before training."""
        self.normalization.prepare(frames)

    def scores(self, features: Rows) -> WideScores:
        """Numbers of every feature, one kind behind the other, in float32 (or better): no rounding stays in a mean."""
        with torch.autocast(features.device.type, enabled=False):
            weight = self.projection.weight
            wide = torch.promote_types(weight.dtype, torch.float32)
            return functional.linear(precise(features).to(wide), weight.to(wide), self.projection.bias.to(wide))

    def barred(self, features: Rows) -> WideScores:
        raise UserError("an output of frames has no scores of tokens: forecast with the model instead.")

    def losses_of(self, features: Rows, targets: FrameRows) -> Losses:
        found = self.scores(features)
        return self.distances(found, self.normalization(targets).to(found.dtype)).sum(-1)

    def training_losses(self, features: Rows, targets: FrameRows, smoothing: Smoothing) -> tuple[Losses, Losses | None]:
        losses = self.loss(features, targets)
        return losses, losses.detach()

    def target_scores(self, features: Rows, targets: FrameRows) -> Losses:
        return -self.loss(features, targets)

    @abstractmethod
    def distances(self, found: WideScores, targets: FrameRows) -> FrameRows:
        """The loss of every value of normalised targets."""

    @abstractmethod
    def forecasts(self, features: Rows) -> Forecasts:
        """The frames to come, in the data's units."""


def refuse_frame_output(output: Any, who: str) -> None:
    """Raise UserError, in the name of a kind of model that writes tokens alone, at an output of frames."""
    if writes_frames(output):
        raise UserError(f"output must be of tokens for {who}, but is of frames: choose another.")


def writes_frames(output: Any) -> bool:
    """Tell whether an output, its class, or a partial call of one that a config or a program made, writes frames."""
    known = [output, *getattr(output, "args", ()), getattr(output, "func", None)]
    return any(getattr(one, "frames", False) is True for one in known)
