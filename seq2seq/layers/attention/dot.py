"""Attention by the product of query and value."""

import torch

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory, ScoredAttention
from seq2seq.layers.attention.scaling import score_scale
from seq2seq.shapes import AttentionWeights, Keys, Query, Values


class DotAttention(ScoredAttention):
    """Dot attention: score = query . value (Luong et al. 2015), over sqrt(size) if scaled (Vaswani et al. 2017).

    `scale_size` is the size to scale by where units were pruned since; at None it is that of values. Raises UserError
    unless queries are as wide as values, and at a scale_size that cannot be. A query finds the value that equals it:

    >>> import torch
    >>> from seq2seq.layers.attention.dot import DotAttention
    >>> attention, values = DotAttention(query_size=3, memory_size=3), 9 * torch.eye(3).unsqueeze(0)
    >>> memory = attention.remember(values, torch.ones(1, 3, dtype=torch.bool))
    >>> context, weights = attention(values[:, 1:2], memory)
    >>> weights.round().tolist()
    [[[0.0, 1.0, 0.0]]]
    >>> torch.allclose(context, values[:, 1:2])
    True
    """

    def __init__(
        self, *, query_size: int, memory_size: int, scaled: bool = False, scale_size: int | None = None
    ) -> None:
        super().__init__()
        if query_size != memory_size:
            raise UserError(
                f"Dot attention needs queries as wide as the memory, but the decoder's hidden_size is "
                f"{query_size} and the encoder's output {memory_size}: make them equal or use general attention."
            )
        self.scaled = scaled
        self.scale = score_scale(memory_size, scaled=scaled, scale_size=scale_size)

    def keys(self, values: Values) -> Keys:
        return values

    def score(self, query: Query, memory: Memory) -> AttentionWeights:
        scaled = query if self.scale == 1 else query * self.scale
        return torch.bmm(scaled, memory.keys.transpose(1, 2))
