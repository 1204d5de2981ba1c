"""Attention to nothing, for decoders that know what their first state knows."""

from seq2seq.layers.attention.attention import Memory, StatelessAttention
from seq2seq.precise import precise
from seq2seq.shapes import AttentionWeights, Context, Keys, Query, Values


class NoAttention(StatelessAttention):
    """Attention to nothing (Sutskever et al. 2014): contexts are zero, and weights, which nothing reads, even.

    >>> import torch
    >>> from seq2seq.layers.attention.none import NoAttention
    >>> attention, values = NoAttention(query_size=3, memory_size=2), torch.randn(1, 4, 2)
    >>> memory = attention.remember(values, torch.ones(1, 4, dtype=torch.bool))
    >>> attention(torch.randn(1, 1, 3), memory)
    (tensor([[[0., 0.]]]), tensor([[[0.2500, 0.2500, 0.2500, 0.2500]]]))
    """

    normalizes = everywhere = attends = False

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__()

    def keys(self, values: Values) -> Keys:
        return values[..., :0]

    def pair_products(self, memory_size: int) -> int:
        return 0

    def forward(self, query: Query, memory: Memory) -> tuple[Context, AttentionWeights]:
        batch, steps, _ = query.shape
        context = memory.values.new_zeros(batch, steps, memory.values.shape[-1])
        readable = precise(memory.readable.to(memory.values.dtype)).expand(batch, steps, -1)
        return context, readable / readable.sum(-1, keepdim=True)
