"""Frames, vectors of numbers over time, as an input."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.inputs.imputation import KINDS, Observed, Seen, carried, interpolated, observed_within, seen_after
from seq2seq.layers.inputs.input import Copies, Input, InputState, MakesFrontEnd, SourceSide, refuse_words
from seq2seq.layers.inputs.normalization import Normalization
from seq2seq.shapes import Frames, Lengths, Source, TimeVectors


class FrameInput(Input):
    """Frames, normalised by feature and projected: v_t = W [x_t; observed_t; log(1 + gap_t)] + b.

    Missing values (NaN) are filled by `imputation`: `carry_forward` takes the last value, `mean` that of all frames to
    train on, `interpolation` the line between the neighbours in time; without it there may be none. With `mask`, W
    reads whether each value was observed, with `gaps` the number of frames since it last was, as the inputs of GRU-D
    (Che et al. 2018) without its decay. Raises UserError at options of tokens, and at `mask` or `gaps` without
    imputation.
    """

    frames: ClassVar[bool] = True

    def __init__(
        self,
        side: SourceSide,
        *,
        normalization: str = "standard",
        imputation: str | None = None,
        mask: bool = False,
        gaps: bool = False,
        front_end: MakesFrontEnd | None = None,
    ) -> None:
        super().__init__()
        _check(side, imputation, mask=mask, gaps=gaps)
        self.features, self.imputation, self.mask, self.gaps = side.size, imputation, mask, gaps
        self.normalization = Normalization(side.size, normalization)
        self.projection = nn.Linear(side.size * (1 + mask + gaps), side.width)
        self.dropout = LockedDropout(side.dropout)
        self.front_end = front_end(side.width) if front_end else None

    @property
    def width(self) -> int:
        return self.projection.out_features

    def prepare(self, source: np.ndarray) -> None:
        """Find the statistics of features, in float64."""
        self.normalization.prepare(source)

    def forward(self, source: Source, lengths: Lengths | None = None) -> TimeVectors:
        frames = self._normalized(source)
        observed = observed_within(frames, lengths)
        seen = self._unseen(len(source))
        last, ago = carried(frames, observed, seen)
        return self.dropout(self._projected(self._filled(frames, observed, seen, last), ago, observed))

    def _normalized(self, source: Source) -> Frames:
        """The frames, normalised, in the arithmetic of the weights: data are float32 whatever these are."""
        return self.normalization(source).to(self.projection.weight.dtype)

    def _filled(self, frames: Frames, observed: Observed, seen: Seen, last: Frames) -> Frames:
        """Frames without what is missing, of which the last values are known."""
        if self.imputation == "mean":
            return frames.where(observed, self.normalization.mean)
        return interpolated(frames, observed, seen) if self.imputation == "interpolation" else last

    def _projected(self, filled: Frames, ago: Frames, observed: Observed) -> TimeVectors:
        parts = [filled]
        if self.mask:
            parts.append(observed.to(filled.dtype))
        if self.gaps:
            parts.append(ago.log1p())
        return self.projection(torch.cat(parts, -1))

    def _unseen(self, count: int) -> Seen:
        mean = self.normalization.mean.expand(count, -1)
        return Seen(mean, torch.zeros_like(mean))

    def occluded(self, source: Source) -> Copies:
        places = torch.eye(source.shape[1], dtype=torch.bool, device=source.device).unsqueeze(-1)
        return torch.where(places, self.typical, source)

    @property
    def typical(self) -> Tensor:
        """The frame that says nothing: at the centre of all of them, `feature`."""
        center = self.normalization.center
        return center.sign() * center.abs().expm1() if self.normalization.kind == "log" else center

    def drawn(self, shape: tuple[int, int], random: torch.Generator) -> Source:
        normal = torch.randn(*shape, self.features, generator=random)
        factor = self.normalization.factor
        values = self.normalization.center + torch.where(factor > 0, normal / factor, 0.0)
        return values.sign() * values.abs().expm1() if self.normalization.kind == "log" else values

    def check_streams(self) -> None:
        super().check_streams()
        if self.imputation == "interpolation":
            raise UserError("imputation must not be interpolation for streams, which looks at what comes later.")

    def start(self, count: int) -> InputState:
        like = self.projection.weight.new_zeros(count, self.width)
        return InputState(tuple(self._unseen(count)), self.dropout.mask(like))

    def advance(self, source: Source, lengths: Lengths, state: InputState) -> tuple[TimeVectors, InputState]:
        frames, seen = self._normalized(source), Seen(*state.kept)
        observed = observed_within(frames, lengths)
        last, ago = carried(frames, observed, seen)
        filled = self._filled(frames, observed, seen, last)
        after = seen_after(last, ago, lengths, seen)
        return self._projected(filled, ago, observed) * state.mask.unsqueeze(1), InputState(tuple(after), state.mask)


def _check(side: SourceSide, imputation: str | None, *, mask: bool, gaps: bool) -> None:
    if imputation is not None and imputation not in KINDS:
        raise UserError(f"imputation must be one of {', '.join(KINDS)}, or null, but is {imputation!r}.")
    for name, given in (("mask", mask), ("gaps", gaps)):
        if given and imputation is None:
            raise UserError(f"{name} must be false without imputation, as no value may be missing.")
    refuse_words(side)
