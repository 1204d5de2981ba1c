"""Ranks, by which hypotheses of different lengths are compared."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.errors import UserError, check_finite

Scores = Float[Tensor, "*hypotheses"]
Length = int | Int[Tensor, "*#hypotheses"]
_LARGEST = 1000  # beyond it ranks are so large that they hide the scores
_LOWEST_POWER, _HIGHEST_POWER = -2, 10  # of the length: beyond them ranks overflow, or are all alike


class Ranking(ABC):
    """A rank by score and length in tokens, EOS included. Monotone in length for a given score."""

    @abstractmethod
    def __call__(self, scores: Scores, length: Length) -> Scores:
        """The rank of every hypothesis; the highest is the best."""

    def bound(self, scores: Scores, shortest: Length, longest: Length) -> Scores:
        """The best rank that each hypothesis can still reach, since no further token can raise a score."""
        return torch.maximum(self(scores, shortest), self(scores, longest))


class SumRanking(Ranking):
    """The score itself: short hypotheses are at an advantage."""

    def __call__(self, scores: Scores, length: Length) -> Scores:
        return scores


class AverageRanking(Ranking):
    """The average of a token: score / length."""

    def __call__(self, scores: Scores, length: Length) -> Scores:
        return scores / length


class GNMTRanking(Ranking):
    """The GNMT rank: score / ((5 + length) / 6)^alpha (Wu et al. 2016, eq. 14).

    Raises UserError if alpha is out of range.
    """

    def __init__(self, *, alpha: float = 0.6) -> None:
        check_finite(alpha=alpha)
        if not _LOWEST_POWER <= alpha <= _HIGHEST_POWER:
            raise UserError(
                f"alpha must be between {_LOWEST_POWER} and {_HIGHEST_POWER} (usual: 0 to 1), but is {alpha}."
            )
        self.alpha = alpha

    def __call__(self, scores: Scores, length: Length) -> Scores:
        return scores / ((5 + length) / 6) ** self.alpha


class WordRewardRanking(Ranking):
    """The score with a reward for every token: score + reward * length, the reward in nats per token.

    He et al. 2016, "Improved neural machine translation with SMT". Raises UserError if the reward is out of range.
    """

    def __init__(self, *, reward: float = 0.3) -> None:
        check_finite(reward=reward)
        if abs(reward) > _LARGEST:
            raise UserError(f"reward must be between {-_LARGEST} and {_LARGEST} nats per token, but is {reward}.")
        self.reward = reward

    def __call__(self, scores: Scores, length: Length) -> Scores:
        return scores + self.reward * length


class CoveragePenalty:
    """A penalty for parts of the source without attention, to be added to the rank (Wu et al. 2016, eq. 14).

    beta * sum over the source of log min(attention received, 1). Raises UserError if beta is out of range.
    """

    def __init__(self, *, beta: float = 0.0) -> None:
        check_finite(beta=beta)
        if beta < 0:
            raise UserError(f"beta must be at least 0, but is {beta}.")
        if beta > _LARGEST:
            raise UserError(f"beta must be at most {_LARGEST} (usual: 0 to 1), but is {beta}.")
        self.beta = beta

    def __call__(
        self, coverage: Float[Tensor, "batch beam source"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch beam"]:
        """The penalty of every hypothesis, by the attention that each source token has received."""
        inside = torch.arange(coverage.shape[-1], device=coverage.device) < lengths.unsqueeze(1)
        least = torch.finfo(coverage.dtype).tiny  # a token without any attention must not weigh infinitely
        received = coverage.clamp(least, 1.0).log().masked_fill(~inside.unsqueeze(1), 0.0)
        return self.beta * received.sum(-1)
