"""Values that stand for those that were not observed."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.masking import length_mask
from seq2seq.shapes import Frames, Lengths

KINDS = ("carry_forward", "mean", "interpolation")

Observed = Bool[Tensor, "batch source feature"]
Last = Float[Tensor, "batch feature"]


class Seen(NamedTuple):
    """The last value of each feature before some frames, and how many frames ago it was.

    Before anything was seen, the value is the mean of all frames to train on.
    """

    value: Last
    ago: Last


def carried_forward(frames: Frames, observed: Observed, seen: Seen) -> tuple[Frames, Frames]:
    """Frames with the last value wherever there is none, and the number of frames since that.

    An observed value is of 0 frames ago; before the first one, frames count from the beginning.
    """
    time = torch.arange(1, frames.shape[1] + 1, device=frames.device).view(1, -1, 1)
    last = torch.where(observed, time, 0).cummax(1).values if frames.shape[1] else torch.zeros_like(observed).long()
    known = torch.cat([seen.value.unsqueeze(1), frames.where(observed, 0.0)], 1)  # place 0 is of before
    ago = torch.where(last > 0, time - last, time + seen.ago.unsqueeze(1))
    return known.gather(1, last), ago.to(frames.dtype)


def interpolated(frames: Frames, observed: Observed, seen: Seen) -> Frames:
    """Frames with values on the straight line between the neighbours in time that have one.

    Before the first and behind the last, these are taken as they are; of a feature that is never seen, it is the mean.
    """
    forward, since = carried_forward(frames, observed, seen)
    backward, until = (part.flip(1) for part in carried_forward(frames.flip(1), observed.flip(1), seen))
    before, after = observed.cummax(1).values, observed.flip(1).cummax(1).values.flip(1)
    share = since / (since + until).clamp(min=1)
    between = forward + (backward - forward) * share
    return torch.where(before & after, between, torch.where(after, backward, forward))


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
