"""Dropout: of vectors by a mask that is locked over time, and of whole words."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.shapes import Ids, SoftIds, TimeVectors, Written
from seq2seq.symbols import EOS, UNK


class LockedDropout(nn.Module):
    """Dropout by one mask for all steps of a sequence (Gal & Ghahramani 2016, "variational" dropout)."""

    def __init__(self, probability: float, name: str = "dropout") -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise UserError(f"{name} must be at least 0 and below 1, but is {probability}.")
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


class TypeDropout(nn.Module):
    """Dropout of words by type (Gal & Ghahramani 2016): what all tokens of a type in a batch share is kept or zero.

    Padding, BOS and EOS are always kept, as they are; the others are scaled by 1 / (1 - probability).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise UserError(f"type_dropout must be at least 0 and below 1, but is {probability}.")
        self.probability = probability

    def forward(self, vectors: TimeVectors, ids: Ids, vocabulary_size: int) -> TimeVectors:
        if not self.training or self.probability == 0:
            return vectors
        keep = 1 - self.probability
        types = vectors.new_empty(vocabulary_size).bernoulli_(keep).div_(keep)
        return vectors * torch.where(_is_word(ids), types[ids], 1.0).unsqueeze(-1)


class WordDropout(nn.Module):
    """Dropout of single tokens, which become UNK (Iyyer et al. 2015); never padding, BOS or EOS."""

    def __init__(self, probability: float, name: str = "word_dropout") -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise UserError(f"{name} must be at least 0 and below 1, but is {probability}.")
        self.probability = probability

    def forward(self, ids: Written) -> Written:
        if not self.training or self.probability == 0:
            return ids
        first = ids.ids[..., 0] if isinstance(ids, SoftIds) else ids
        dropped = (torch.rand(first.shape, device=first.device) < self.probability) & _is_word(first)
        if isinstance(ids, SoftIds):
            return ids._replace(ids=ids.ids.masked_fill(dropped.unsqueeze(-1), UNK))
        return ids.masked_fill(dropped, UNK)


def _is_word(ids: Ids) -> Bool[Tensor, "batch time"]:
    return (ids > EOS) | (ids == UNK)
