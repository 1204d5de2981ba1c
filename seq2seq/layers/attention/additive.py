"""Attention by a small feed-forward network."""

import torch
from torch import nn

from seq2seq.layers.attention.attention import Attention
from seq2seq.layers.initialization import linear
from seq2seq.shapes import AttentionWeights, Keys, Query, Values


class AdditiveAttention(Attention):
    """score = v . tanh(W query + U value) (Bahdanau et al. 2015)."""

    def __init__(self, *, query_size: int, memory_size: int, size: int = 128) -> None:
        super().__init__()
        self.query_projection = linear(query_size, size)
        self.value_projection = linear(memory_size, size, bias=False)
        self.vector = nn.Parameter(torch.empty(size).uniform_(-1, 1) * size**-0.5)

    def keys(self, values: Values) -> Keys:
        return self.value_projection(values)

    def score(self, query: Query, keys: Keys) -> AttentionWeights:
        sums = self.query_projection(query).unsqueeze(2) + keys.unsqueeze(1)  # batch target source size
        return torch.tanh(sums) @ self.vector.to(sums.dtype)
