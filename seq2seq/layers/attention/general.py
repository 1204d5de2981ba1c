"""Attention by a bilinear form."""

import torch
from torch import nn

from seq2seq.layers.attention.attention import Memory, ScoredAttention
from seq2seq.layers.attention.scaling import score_scale
from seq2seq.layers.linear import linear
from seq2seq.shapes import AttentionWeights, Keys, Query, Values


class GeneralAttention(ScoredAttention):
    """General attention: score = query . W value (Luong et al. 2015, "general"), over sqrt(size) if scaled.

    `scale_size` is the size of queries to scale by where units were pruned since; at None it is what they have. Raises
    UserError at one that cannot be. A query finds the value that W turns into its direction, here that of
    the other axis:

    >>> import torch
    >>> from seq2seq.layers.attention.general import GeneralAttention
    >>> attention, values = GeneralAttention(query_size=2, memory_size=2), 9 * torch.eye(2).unsqueeze(0)
    >>> attention.projection.weight.data = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> memory = attention.remember(values, torch.ones(1, 2, dtype=torch.bool))
    >>> context, weights = attention(values, memory)
    >>> weights.round().tolist()
    [[[0.0, 1.0], [1.0, 0.0]]]
    """

    def __init__(
        self, *, query_size: int, memory_size: int, scaled: bool = False, scale_size: int | None = None
    ) -> None:
        super().__init__()
        self.projection = linear(memory_size, query_size, bias=False)
        self.scaled = scaled
        self.scale = score_scale(query_size, scaled=scaled, scale_size=scale_size)

    def keys(self, values: Values) -> Keys:
        return self.projection(values)

    @property
    def source_parts(self) -> tuple[nn.Module, ...]:
        return (self.projection,)

    def pair_products(self, memory_size: int) -> int:
        return self.projection.out_features + memory_size

    def score(self, query: Query, memory: Memory) -> AttentionWeights:
        return torch.bmm(query * self.scale, memory.keys.transpose(1, 2))
