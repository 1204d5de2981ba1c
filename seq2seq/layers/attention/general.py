"""Attention by a bilinear form."""

import torch

from seq2seq.layers.attention.attention import Memory, ScoredAttention
from seq2seq.layers.linear import linear
from seq2seq.shapes import AttentionWeights, Keys, Query, Values


class GeneralAttention(ScoredAttention):
    """score = query . W value (Luong et al. 2015, "general"), divided by sqrt(size) if scaled."""

    def __init__(self, *, query_size: int, memory_size: int, scaled: bool = False) -> None:
        super().__init__()
        self.projection = linear(memory_size, query_size, bias=False)
        self.scale = query_size**-0.5 if scaled else 1.0

    def keys(self, values: Values) -> Keys:
        return self.projection(values)

    def score(self, query: Query, memory: Memory) -> AttentionWeights:
        return torch.bmm(query * self.scale, memory.keys.transpose(1, 2))
