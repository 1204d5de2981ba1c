"""Attention by the product of query and value."""

import torch

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory, ScoredAttention
from seq2seq.shapes import AttentionWeights, Keys, Query, Values


class DotAttention(ScoredAttention):
    """score = query . value (Luong et al. 2015), divided by sqrt(size) if scaled (Vaswani et al. 2017)."""

    def __init__(self, *, query_size: int, memory_size: int, scaled: bool = False) -> None:
        super().__init__()
        if query_size != memory_size:
            raise UserError(
                f"Dot attention needs queries as wide as the memory, but the decoder's hidden_size is "
                f"{query_size} and the encoder's output {memory_size}: make them equal or use general attention."
            )
        self.scale = memory_size**-0.5 if scaled else 1.0

    def keys(self, values: Values) -> Keys:
        return values

    def score(self, query: Query, memory: Memory) -> AttentionWeights:
        return torch.bmm(query * self.scale, memory.keys.transpose(1, 2))
