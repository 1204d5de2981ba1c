"""Values that stand for those that were not observed."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.masking import length_mask
from seq2seq.shapes import Frames, Lengths

KINDS = ("carry_forward", "mean", "interpolation", "decay")
OF_TIME = ("interpolation", "decay")  # that look at when frames were

Observed = Bool[Tensor, "batch source feature"]
Last = Float[Tensor, "batch feature"]
Clock = Float[Tensor, "batch source 1"] | Int[Tensor, "batch source 1"]


class Seen(NamedTuple):
    """The last value of each feature before some frames, and how long ago that was: time, or a number of frames.

    Before anything was seen, the value is the mean of all frames to train on.
    """

    value: Last
    ago: Last


def clock(gaps: Float[Tensor, "batch source 1"]) -> Clock:
    """The time at each frame, by the gaps before them, in float64: float32 would lose short ones."""
    return gaps.double().cumsum(1)


def carried_forward(frames: Frames, observed: Observed, seen: Seen, clock: Clock) -> tuple[Frames, Frames]:
    """Frames with the last value wherever there is none, and by the clock how long ago that was.

    An observed value was 0 ago; before the first one, time counts from the beginning.
    """
    time = torch.arange(1, frames.shape[1] + 1, device=frames.device).view(1, -1, 1)
    last = torch.where(observed, time, 0).cummax(1).values if frames.shape[1] else torch.zeros_like(observed).long()
    known = torch.cat([seen.value.unsqueeze(1), frames.where(observed, 0.0)], 1)  # place 0 is of before
    before = torch.cat([-seen.ago.unsqueeze(1).to(clock.dtype), clock.expand(frames.shape)], 1)
    ago = clock - before.gather(1, last)
    return known.gather(1, last), ago.to(frames.dtype)


def since(ago: Frames, seen: Seen, gaps: Float[Tensor, "batch source 1"]) -> Frames:
    """The time from the last frame before each that had a value to it, which GRU-D calls delta (Che et al. 2018).

    delta_t = gap_t + (delta_{t-1} where the frame before had no value, else 0).
    """
    return gaps + torch.cat([seen.ago.unsqueeze(1), ago[:, :-1]], 1).to(ago.dtype)


def interpolated(frames: Frames, observed: Observed, seen: Seen, clock: Clock) -> Frames:
    """Frames with values on the straight line between the neighbours in time that have one.

    Before the first and behind the last, these are taken as they are; of a feature that is never seen, it is the mean.
    """
    forward, since = carried_forward(frames, observed, seen, clock)
    backward, until = (part.flip(1) for part in carried_forward(frames.flip(1), observed.flip(1), seen, -clock.flip(1)))
    before, after = observed.cummax(1).values, observed.flip(1).cummax(1).values.flip(1)
    whole = since + until
    share = since / whole.where(whole > 0, 1.0)
    between = forward + (backward - forward) * share
    return torch.where(before & after, between, torch.where(after, backward, forward))


class Decay(nn.Module):
    """Decay of the last values to the mean, learnt for each feature (GRU-D, Che et al. 2018).

    d x_last + (1 - d) mean,  d = exp(-max(0, w ago + b)).  At first a value fades to 1/e of its distance in 10 units.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((features,), 0.1))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, last: Frames, ago: Frames, mean: Float[Tensor, " feature"]) -> Frames:
        """The values that stand for those which were last seen so long ago."""
        kept = (self.weight * ago + self.bias).relu().neg().exp()
        return mean + kept * (last - mean)


def seen_after(frames: Frames, ago: Frames, lengths: Lengths, seen: Seen) -> Seen:
    """The last values behind `lengths[i]` of carried frames of each row; where there are none, those of before."""
    places = (lengths - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, frames.shape[2])
    some = (lengths > 0).unsqueeze(1)
    if not frames.shape[1]:
        return seen
    parts = ((frames, seen.value), (ago, seen.ago))
    return Seen(*(torch.where(some, now.gather(1, places).squeeze(1), before) for now, before in parts))


def observed_within(frames: Frames, lengths: Lengths | None) -> Observed:
    """The mask that is True where there is a value, `batch source feature`: not in padding."""
    observed = frames.isfinite()
    return observed if lengths is None else observed & length_mask(lengths, frames.shape[1]).unsqueeze(-1)
