"""Signs of an attention's health: how spread, how sharp and how repetitive its weights are."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seq2seq.shapes import AttentionWeights

OfSteps = Float[Tensor, "batch target"]


def entropies(weights: AttentionWeights) -> OfSteps:
    """Entropies, -sum of w log w in nats: 0 where all weight is on one token, log(length) where it is even."""
    # A weight of 0 counts nothing, and must not have an infinite gradient.
    return -(weights * weights.clamp(min=torch.finfo(weights.dtype).tiny).log()).sum(-1)


def of_groups(weights: AttentionWeights, size: int) -> Float[Tensor, "batch target group"]:
    """Sums of the weights of `size` neighbours, `batch target group`; the last group may be smaller."""
    return functional.pad(weights, (0, -weights.shape[-1] % size)).unflatten(-1, (-1, size)).sum(-1)


def sharpness(weights: AttentionWeights) -> OfSteps:
    """The largest weight of every step, `batch target`."""
    return weights.amax(-1)


def repetitions(weights: AttentionWeights) -> OfSteps:
    """Repetition of a step: sum over the source of min(weight, sum of earlier weights) (See et al. 2017, eq. 12)."""
    return torch.minimum(weights, weights.cumsum(1) - weights).sum(-1)
