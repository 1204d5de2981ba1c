"""A softmax with exact zeros."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from seq2seq.errors import UserError
from seq2seq.masking import masked, masked_softmax
from seq2seq.precise import precise
from seq2seq.shapes import SourceMask, StepMask

Scores = Float[Tensor, "*rows size"]
Weights = Float[Tensor, "batch target source"]

NORMALIZERS = ("softmax", "entmax")
_LIKELY = 256  # of the highest scores are looked at first; sorting a whole vocabulary takes most of a step


def check_normalizer(value: str) -> str:
    """The name of what makes probabilities of scores. Raises UserError if it is none."""
    if value not in NORMALIZERS:
        raise UserError(f"normalizer must be one of {', '.join(NORMALIZERS)}, but is {value!r}.")
    return value


def entmax(scores: Scores) -> Scores:
    """Probabilities by 1.5-entmax over the last axis, in float32 (or better) (Peters et al. 2019, algorithm 2).

    p = max(scores / 2 - threshold, 0)^2, with the threshold at which they sum to 1: low scores have exactly 0. At least
    one score must be finite.
    """
    return _Entmax.apply(precise(scores))


def entmax_loss(scores: Float[Tensor, "rows size"], targets: Int[Tensor, " rows"]) -> Float[Tensor, " rows"]:
    """The loss of every row that entmax goes with, (p - target) . scores + 4/3 (1 - sum p^1.5): 0 once p is the target.

    Its gradient is p - target, with zeros for what is far below (Peters et al. 2019).
    """
    with torch.no_grad():
        probabilities = entmax(scores)
        entropies = (1 - probabilities.pow(1.5).sum(-1)) * (4 / 3)
    # p is held fixed: where it maximises p . scores + entropy, the gradient through it is zero.
    expected = (probabilities * scores.masked_fill(probabilities == 0, 0)).sum(-1)
    return expected - scores.gather(1, targets.unsqueeze(1)).squeeze(1) + entropies


def logarithms(probabilities: Scores) -> Scores:
    """Logarithms of probabilities, minus infinity of 0, which passes no gradient."""
    none = probabilities == 0
    return probabilities.masked_fill(none, 1).log().masked_fill(none, float("-inf"))


def masked_weights(normalizer: str, scores: Weights, mask: SourceMask | StepMask) -> Weights:
    """Weights over the source, in float32 (or better), exactly 0 on padding."""
    if normalizer == "softmax":
        return masked_softmax(scores, mask)
    return entmax(masked(scores, mask))


def normalize(normalizer: str, scores: Tensor, weights: Tensor) -> None:
    """Put into `weights` those that scores make, along the last axis; no gradients."""
    if normalizer == "softmax":
        torch.softmax(scores, -1, out=weights)
    else:
        weights.copy_(entmax(scores))


def scores_gradient(normalizer: str, weights: Scores, gradient: Scores) -> Scores:
    """The gradient of the scores that weights were made of, from that of the weights."""
    if normalizer == "softmax":
        return torch.ops.aten._softmax_backward_data(gradient, weights, -1, weights.dtype)
    return _of_scores(weights, gradient)


def _of_scores(probabilities: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of the scores that entmax made probabilities of."""
    roots = probabilities.sqrt()
    weighted = roots * gradient
    return weighted - roots * (weighted.sum(-1, keepdim=True) / roots.sum(-1, keepdim=True))


class _Entmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        # The highest is 0 now and has at most 1, so the threshold is -1 or above, and what is lower has 0, however low.
        halves = ((scores - scores.amax(-1, keepdim=True)) / 2).clamp(min=-1)
        size = scores.shape[-1]
        thresholds, sharing = _thresholds(halves.topk(min(size, _LIKELY)).values)
        if size > _LIKELY and bool((sharing == _LIKELY).any()):  # perhaps more have a share
            thresholds, sharing = _thresholds(halves.sort(-1, descending=True).values)
        probabilities = (halves - thresholds.gather(-1, sharing - 1)).relu().square()
        ctx.save_for_backward(probabilities)
        return probabilities

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (probabilities,) = ctx.saved_tensors
        return _of_scores(probabilities, gradient)


def _thresholds(ordered: Tensor) -> tuple[Tensor, Tensor]:
    """Thresholds if so many of the highest had a share, and how many do have one."""
    counts = torch.arange(1, ordered.shape[-1] + 1, device=ordered.device, dtype=ordered.dtype)
    means = ordered.cumsum(-1) / counts
    spreads = ordered.square().cumsum(-1) / counts - means.square()
    thresholds = means - (1 / counts - spreads).clamp(min=0).sqrt()
    return thresholds, ((thresholds <= ordered) & (ordered > -1)).sum(-1, keepdim=True)
