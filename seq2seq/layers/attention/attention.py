"""What every attention offers, and the memory it reads."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.masking import masked_softmax
from seq2seq.shapes import AttentionWeights, Context, Keys, Query, SourceMask, Values


class Memory(NamedTuple):
    """What the encoder leaves: values to read, the keys they are found by, and where there are tokens."""

    values: Tensor  # batch source memory
    keys: Tensor  # batch source key
    mask: Tensor  # batch source


class Attention(nn.Module, ABC):
    """Weights over the source for every query, and the context they select."""

    @abstractmethod
    def keys(self, values: Values) -> Keys:
        """The part of the score that depends on the source alone, computed once per sentence."""

    @abstractmethod
    def score(self, query: Query, keys: Keys) -> AttentionWeights: ...

    def remember(self, values: Values, mask: SourceMask) -> Memory:
        return Memory(values, self.keys(values), mask)

    def forward(self, query: Query, memory: Memory) -> tuple[Context, AttentionWeights]:
        weights = masked_softmax(self.score(query, memory.keys), memory.mask)
        return torch.bmm(weights.to(memory.values.dtype), memory.values), weights
