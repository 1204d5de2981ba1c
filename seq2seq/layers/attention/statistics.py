"""What weights tell of an attention's health: how spread, how sharp, how repetitive they are."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seq2seq.shapes import AttentionWeights

OfSteps = Float[Tensor, "batch target"]


def entropies(weights: AttentionWeights) -> OfSteps:
    """-sum of w log w, in nats: 0 where all weight is on one token, log(length) where it is spread evenly."""
    # A weight of 0 counts nothing, and must not have an infinite gradient.
    return -(weights * weights.clamp(min=torch.finfo(weights.dtype).tiny).log()).sum(-1)


def of_groups(weights: AttentionWeights, size: int) -> Float[Tensor, "batch target group"]:
    """The weights of so many neighbours together; the last of them may be fewer."""
    return functional.pad(weights, (0, -weights.shape[-1] % size)).unflatten(-1, (-1, size)).sum(-1)


def sharpness(weights: AttentionWeights) -> OfSteps:
    """The largest weight."""
    return weights.amax(-1)


def repetitions(weights: AttentionWeights) -> OfSteps:
    """sum over the source of min(weight, sum of earlier weights) (See et al. 2017, eq. 12)."""
    return torch.minimum(weights, weights.cumsum(1) - weights).sum(-1)
