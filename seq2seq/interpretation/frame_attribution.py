"""Attributions of a score to every value of a series of frames: which feature at which time gave what."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.layers.inputs.frames import FrameInput
from seq2seq.shapes import Frames, RowScores

Score = Callable[[Frames], RowScores]
Shares = Float[Tensor, "time column"]


class FrameAttribution(NamedTuple):
    """Shares of a score, `time column`: a row per frame and a column per feature, and one of gaps where there are any.

    `delta` is what they miss: their sum less score(source) - score(baseline).
    """

    shares: Shares
    delta: float


def frame_attribution(score: Score, input: FrameInput, source: Frames, *, steps: int = 32) -> FrameAttribution:
    """The attribution by integrated gradients from frames that say nothing, all at one time (Sundararajan et al. 2017).

    Of one series, `1 time column`; `score` maps copies of it, `copies time column`, to a number each. A value that is
    missing stays so, and has no share. Raises UserError at several series and below one step.
    """
    if len(source) != 1:
        raise UserError(f"source must be one series, but there are {len(source)}: give them one by one.")
    if steps < 1:
        raise UserError(f"steps must be at least 1, but is {steps}.")
    typical = torch.nn.functional.pad(input.typical, (0, source.shape[-1] - input.features)).to(source.dtype)
    baseline = typical.where(source.isfinite(), torch.nan)
    path = (places(steps, source) * (source - baseline) + baseline).requires_grad_()
    with (
        torch.enable_grad(),
        torch.backends.cudnn.flags(enabled=False),
    ):  # whose layers have no backward pass out of training
        (gradients,) = torch.autograd.grad(score(path).sum(), path)
    found = (gradients.mean(0) * (source - baseline)[0]).where(source[0].isfinite(), 0.0)
    with torch.no_grad():
        whole = score(source) - score(baseline)
    return FrameAttribution(found, float(found.sum() - whole.squeeze()))


def places(steps: int, like: Tensor) -> Float[Tensor, "steps 1 1"]:
    """Places on a line from 0 to 1, each in the middle of its part."""
    return ((torch.arange(steps, dtype=like.dtype, device=like.device) + 0.5) / steps).view(-1, 1, 1)
