"""Label smoothing: what is taken from a target, and what is given it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.symbols import BOS, EOS, PAD, UNK

RowScores = Float[Tensor, "rows vocabulary"]


@dataclass(frozen=True)
class Smoothing:
    """Label smoothing by an amount, given to tokens by shares, or evenly to all but PAD and BOS.

    loss = (1 - amount) * -log p(target) + amount * -sum share log p (Szegedy et al. 2016; Pereyra et al. 2017).
    """

    amount: float = 0.0
    shares: Float[Tensor, " vocabulary"] | None = None

    def mean(self, values: RowScores) -> Float[Tensor, " rows"]:
        """The mean of each row by the shares."""
        return self._by_shares(values) if self.shares is not None else _of_said(values) / (values.shape[-1] - 2)

    def taken(self, values: RowScores) -> Float[Tensor, " rows"]:
        """The part of the loss that smoothing adds: `amount` times the mean of each row by the shares."""
        if self.shares is not None:
            return self.amount * self._by_shares(values)
        return self.amount / (values.shape[-1] - 2) * _of_said(values)

    def taken_of_possible(self, values: RowScores) -> Float[Tensor, " rows"]:
        """The results of `taken`, by the values of each row that are not minus infinity alone."""
        can = values > float("-inf")
        values = values.where(can, 0.0)
        if self.shares is not None:
            return self.amount * self._by_shares(values)
        return self.amount * values.sum(-1) / can.sum(-1)

    def spread(self, like: Tensor, vocabulary_size: int) -> Tensor:
        """The shares of all columns of scores, in the form of `like`: 0 past the vocabulary."""
        spread = torch.zeros_like(like)
        if self.shares is not None:
            spread[:vocabulary_size] = self.shares.to(spread)
        else:
            spread[:vocabulary_size] = 1 / (vocabulary_size - 2)
            spread[[PAD, BOS]] = 0
        return spread

    def _by_shares(self, values: RowScores) -> Float[Tensor, " rows"]:
        assert self.shares is not None
        # What cannot be said never comes, but 0 times its minus infinity would be no number.
        return values.masked_fill(self.shares == 0, 0) @ self.shares.to(values.dtype)


def _of_said(values: RowScores) -> Float[Tensor, " rows"]:
    return values[:, UNK] + values[:, EOS:].sum(-1)  # all but PAD and BOS
