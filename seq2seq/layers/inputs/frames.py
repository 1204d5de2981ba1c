"""Frames, vectors of numbers over time, as an input."""

from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.inputs.imputation import (
    KINDS,
    OF_TIME,
    Decay,
    Observed,
    Seen,
    carried_forward,
    clock,
    interpolated,
    observed_within,
    seen_after,
    since,
)
from seq2seq.layers.inputs.input import Copies, Input, InputState, MakesFrontEnd, Shown, SourceSide, refuse_words
from seq2seq.layers.inputs.normalization import Normalization
from seq2seq.shapes import Frames, Inputs, Lengths, Source, TimeVectors

_USES = "gaps=true, imputation=decay or imputation=interpolation"


class FrameInput(Input):
    """Frames, normalised by feature and projected: v_t = W [x_t; observed_t; log(1 + gap_t)] + b.

    Missing values (NaN) are filled by `imputation`: `carry_forward` takes the last value, `mean` that of all frames to
    train on, `interpolation` the line between the neighbours in time, `decay` what is learnt to lie between last value
    and mean (`Decay`); without it there may be none. With `mask`, W reads whether each value was observed, with `gaps`
    the number of frames since it last was.

    With a `time_unit`, the last column of a source is the time between each frame and the one before, and all gaps are
    counted in so many units of it: `gaps` are the times from the last value before each frame, or without imputation
    from the frame before. Layers that read gaps get that from the frame before and those of every feature. Raises
    UserError at options of tokens, at `mask` without imputation, at gaps that layers are to read and nobody gives, and
    at a `time_unit` that nothing reads.
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
        time_unit: float | None = None,
        front_end: MakesFrontEnd | None = None,
    ) -> None:
        check_finite(time_unit=time_unit)
        super().__init__()
        _check(side, imputation, mask=mask, gaps=gaps and time_unit is None)
        _check_times(side, time_unit, used=side.gaps or gaps or imputation in OF_TIME, whole=front_end is None)
        self.features = side.size - (time_unit is not None)
        self.imputation, self.mask, self.gaps, self.time_unit = imputation, mask, gaps, time_unit
        self.gap_size = 1 + self.features if side.gaps else 0
        self.normalization = Normalization(self.features, normalization)
        self.decay = Decay(self.features) if imputation == "decay" else None
        gap_columns = gaps * (self.features if imputation else 1)
        self.projection = nn.Linear(self.features * (1 + mask) + gap_columns, side.width)
        self.dropout = LockedDropout(side.dropout)
        self.front_end = front_end(side.width) if front_end else None

    @property
    def width(self) -> int:
        return self.projection.out_features

    def prepare(self, source: np.ndarray) -> None:
        """Find the statistics of features, in float64."""
        self.normalization.prepare(source[:, : self.features])

    def forward(self, source: Source, lengths: Lengths | None = None) -> TimeVectors:
        read = self._read(source, lengths, self._unseen(len(source)))
        return self._with_gaps(self.dropout(self._projected(read)), read)

    def _read(self, source: Source, lengths: Lengths | None, seen: Seen) -> "_Read":
        # in the arithmetic of the weights: data are float32 whatever these are
        frames = self.normalization(source[..., : self.features]).to(self.projection.weight.dtype)
        observed = observed_within(frames, lengths)
        gaps = torch.ones_like(source[..., :1]) if self.time_unit is None else source[..., -1:] / self.time_unit
        now = clock(gaps)
        last, ago = carried_forward(frames, observed, seen, now)
        if self.imputation == "mean":
            filled = frames.where(observed, self._mean)
        elif self.decay is not None:
            filled = frames.where(observed, self.decay(last, ago, self._mean))
        else:
            filled = interpolated(frames, observed, seen, now) if self.imputation == "interpolation" else last
        return _Read(filled, last, ago, observed, gaps.to(frames.dtype), since(ago, seen, gaps).to(frames.dtype))

    def _projected(self, read: "_Read") -> TimeVectors:
        parts = [read.filled]
        if self.mask:
            parts.append(read.observed.to(read.filled.dtype))
        if self.gaps:
            timed = read.since if self.imputation else read.gaps
            parts.append((read.ago if self.time_unit is None else timed).log1p())
        return self.projection(torch.cat(parts, -1))

    def _with_gaps(self, vectors: TimeVectors, read: "_Read") -> Inputs:
        return torch.cat([vectors, read.gaps, read.since], -1) if self.gap_size else vectors

    @property
    def _mean(self) -> Tensor:
        return self.normalization.mean.to(self.projection.weight.dtype)

    def _unseen(self, count: int) -> Seen:
        mean = self._mean.expand(count, -1)
        return Seen(mean, torch.zeros_like(mean))

    def shown(self, source: Source) -> Shown:
        """Frames as they are drawn, each feature on a scale of its own: normalised, and missing where it is missing."""
        return self.normalization(source[..., : self.features])

    def occluded(self, source: Source) -> Copies:
        places = torch.eye(source.shape[1], dtype=torch.bool, device=source.device).unsqueeze(-1)
        hidden = torch.where(places, self.typical, source[..., : self.features])
        return torch.cat([hidden, source[..., self.features :].expand(len(hidden), -1, -1)], -1)

    @property
    def typical(self) -> Tensor:
        """The frame that says nothing: at the centre of all of them, `feature`."""
        center = self.normalization.center
        return center.sign() * center.abs().expm1() if self.normalization.kind == "log" else center

    def drawn(self, shape: tuple[int, int], random: torch.Generator) -> Source:
        normal = torch.randn(*shape, self.features, generator=random)
        factor = self.normalization.factor
        values = self.normalization.center + torch.where(factor > 0, normal / factor, 0.0)
        values = values.sign() * values.abs().expm1() if self.normalization.kind == "log" else values
        if self.time_unit is None:
            return values
        gaps = torch.full((*shape, 1), self.time_unit).index_fill(1, torch.tensor([0]), 0.0)  # none before the first
        return torch.cat([values, gaps], -1)

    def check_streams(self) -> None:
        super().check_streams()
        if self.imputation == "interpolation":
            raise UserError("imputation must not be interpolation for streams, which looks at what comes later.")

    def start(self, count: int) -> InputState:
        like = self.projection.weight.new_zeros(count, self.width)
        return InputState(tuple(self._unseen(count)), self.dropout.mask(like))

    def advance(self, source: Source, lengths: Lengths, state: InputState) -> tuple[TimeVectors, InputState]:
        seen = Seen(*state.kept)
        read = self._read(source, lengths, seen)
        after = seen_after(read.last, read.ago, lengths, seen)
        vectors = self._projected(read) * state.mask.unsqueeze(1)
        return self._with_gaps(vectors, read), InputState(tuple(after), state.mask)


class _Read(NamedTuple):
    """Frames without what is missing, their last values and how long ago these were, and gaps before each frame."""

    filled: Frames
    last: Frames
    ago: Frames
    observed: Observed
    gaps: Tensor  # batch source 1
    since: Frames


def _check(side: SourceSide, imputation: str | None, *, mask: bool, gaps: bool) -> None:
    if imputation is not None and imputation not in KINDS:
        raise UserError(f"imputation must be one of {', '.join(KINDS)}, or null, but is {imputation!r}.")
    for name, given in (("mask", mask), ("gaps", gaps)):
        if given and imputation is None:
            raise UserError(f"{name} must be false without imputation, as no value may be missing.")
    refuse_words(side)


def _check_times(side: SourceSide, unit: float | None, *, used: bool, whole: bool) -> None:
    if unit is not None and not unit > 0:
        raise UserError(f"time_unit must be above 0, a number of units of the data's times, but is {unit}.")
    if unit is not None and side.size < 2:
        raise UserError(f"time_unit needs features beside a column of gaps, but there are {side.size} columns.")
    if side.gaps and unit is None:
        raise UserError("time_unit must be given for a gap_cell, a number of units of the data's times, but is null.")
    if side.gaps and not whole:
        raise UserError("front_end must be none with a gap_cell, which reads a gap for each frame.")
    if unit is not None and not used:
        raise UserError(
            f"time_unit must be null where nothing reads times, but is {unit}: choose a gap_cell, or {_USES}."
        )
