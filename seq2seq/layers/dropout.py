"""Dropout whose mask is locked over time."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.shapes import TimeVectors


class LockedDropout(nn.Module):
    """Dropout by one mask for all steps of a sequence (Gal & Ghahramani 2016, "variational" dropout)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise UserError(f"dropout must be at least 0 and below 1, but is {probability}.")
        self.probability = probability

    def forward(self, values: TimeVectors) -> TimeVectors:
        if not self.training or self.probability == 0:
            return values
        return values * self.mask(values[:, 0]).unsqueeze(1)

    def mask(self, like: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """A fresh mask, for loops that lock it themselves: 0 or 1 / (1 - probability), and 1 out of training."""
        if not self.training or self.probability == 0:
            return torch.ones_like(like)
        keep = 1 - self.probability
        return torch.empty_like(like).bernoulli_(keep).div_(keep)
