"""Attention that only moves forward."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.attention.attention import AttentionState, Memory, nothing_seen, read
from seq2seq.layers.attention.normalized_additive import NormalizedAdditiveScore
from seq2seq.precise import precise
from seq2seq.shapes import AttentionWeights, BeamFeatures, BeamWeights, Context, Query

Chances = Float[Tensor, "batch target source"]


class MonotonicAttention(NormalizedAdditiveScore):
    """Monotonic attention: the expected alignment of a reader that walks along the source (Raffel et al. 2017).

    It stops once a step, at token j with probability p_j = sigmoid(score_j + r), where the score is normalised
    additive, and starts from where it stopped a step before:
    weight_j = p_j sum_{k <= j} before_k prod_{k <= l < j} (1 - p_l).
    Whoever comes to the last token stops there, so weights sum to 1. Searches use the expectation too.

    The score's scale g starts at `gain`, r at `offset`: the lower, the further a reader walks. `noise` is the standard
    deviation of what is added to scores in training, which makes p near 0 or 1 worthwhile. Raises UserError at noise
    below 0. The expected position never moves back:

    >>> import torch
    >>> from seq2seq.layers.attention.monotonic import MonotonicAttention
    >>> attention = MonotonicAttention(query_size=3, memory_size=4)
    >>> memory = attention.remember(torch.randn(1, 6, 4), torch.ones(1, 6, dtype=torch.bool))
    >>> context, weights = attention.unroll(torch.randn(1, 5, 3), memory, attention.start(memory))
    >>> positions = (weights * torch.arange(6)).sum(-1)
    >>> bool((positions.diff() > -1e-5).all())
    True
    """

    normalizes = False
    everywhere = False

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        size: int = 128,
        gain: float = 3.0,
        offset: float = -1.0,
        noise: float = 0.0,
    ) -> None:
        check_finite(offset=offset, noise=noise)
        super().__init__(query_size=query_size, memory_size=memory_size, size=size, gain=gain)
        if noise < 0:
            raise UserError(f"noise must be at least 0, but is {noise}.")
        self.offset = nn.Parameter(torch.tensor(float(offset)))
        self.noise = noise

    def start(self, memory: Memory) -> AttentionState:
        """The state before the first step: all weight on the first token."""
        nothing = nothing_seen(memory)
        # (batch, 1) of ones beside (batch, source - 1) of zeros = (batch, source)
        return (torch.cat([torch.ones_like(nothing[:, :1]), nothing[:, 1:]], 1),)

    def after(self, state: AttentionState, weights: AttentionWeights) -> AttentionState:
        return (weights[:, -1],)

    def moved(self, state: AttentionState, gone: int, size: int) -> AttentionState:
        """The state over what is left of a source: whoever stood at a position that is gone stands at the first."""
        (before,), (after,) = state, super().moved(state, gone, size)
        lost = before[..., :gone].sum(-1, keepdim=True)
        return (torch.cat([after[..., :1] + lost, after[..., 1:]], -1),)

    def chances(self, query: Query, memory: Memory) -> tuple[Chances, Chances]:
        """Probabilities to stop at each token and to walk on from it, `batch target source` both."""
        energies = self.score(query, memory)
        energies = precise(energies) + self.offset
        if self.training and self.noise > 0:
            energies = energies + self.noise * torch.randn_like(energies)
        # Both by sigmoid: where p is near 1, 1 - p would round to 0 and have no gradient.
        # (batch, 1, source), or one for each step: True at tokens that another one follows
        following = functional.pad(memory.readable, (-1, 1))
        return energies.sigmoid().where(following, 1.0), energies.neg().sigmoid() * following

    def step(
        self, query: BeamFeatures, memory: Memory, state: AttentionState
    ) -> tuple[Context, BeamWeights, AttentionState]:
        (before,) = state
        stopping, walking = self.chances(query, memory)
        weights = stopping * _arriving(before, walking)
        return read(weights, memory), weights, (weights,)

    def unroll(self, query: Query, memory: Memory, state: AttentionState) -> tuple[Context, AttentionWeights]:
        """Contexts `batch target memory` and weights `batch target source`: all chances at once, then step by step."""
        (before,), steps = state, []
        before = before.unsqueeze(1)
        for stopping, walking in zip(*(chances.split(1, 1) for chances in self.chances(query, memory)), strict=True):
            before = stopping * _arriving(before, walking)  # (batch, 1, source) all three
            steps.append(before)
        weights = torch.cat(steps, 1)
        return read(weights, memory), weights


def _arriving(before: BeamWeights, walking: BeamWeights) -> BeamWeights:
    """Chances to arrive, arriving_j = before_j + walking_{j-1} arriving_{j-1}, for all j in log2(source) rounds.

    Before the round of span n, `arriving` counts the starts from the last n tokens, and `walking` is the chance to
    pass the n tokens before. All factors are at most 1: nothing overflows, and what vanishes is 0.
    """
    arriving, walking, span = before, functional.pad(walking, (1, -1)), 1
    while span < before.shape[-1]:
        shift = (span, -span)  # as many zeros on the left as tokens go on the right: (batch, target, source) stays
        arriving = arriving + walking * functional.pad(arriving, shift)
        walking = walking * functional.pad(walking, shift)
        span *= 2
    return arriving
