"""Attention of several heads side by side."""

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory, StatelessAttention, with_dropout
from seq2seq.layers.linear import linear
from seq2seq.shapes import AttentionWeights, Context, Keys, Query, SourceMask, Values


class MultiHeadAttention(StatelessAttention):
    """Multi-head attention: contexts of several scaled dot attentions, projected together (Vaswani et al. 2017).

    context = O [head_1; ...; head_n], head_i = softmax(W_i query . U_i values / sqrt(size)) V_i values.

    Every head has its part of projections as wide as the memory. The weights are the mean over the heads;
    `head_weights` tells them apart. Raises UserError if the heads cannot share the memory's width.

    >>> import torch
    >>> from seq2seq.layers.attention.multi_head import MultiHeadAttention
    >>> attention, query = MultiHeadAttention(query_size=3, memory_size=8, heads=2), torch.randn(1, 4, 3)
    >>> memory = attention.remember(torch.randn(1, 5, 8), torch.ones(1, 5, dtype=torch.bool))
    >>> attention.head_weights(query, memory).shape  # batch heads target source
    torch.Size([1, 2, 4, 5])
    >>> context, weights = attention(query, memory)
    >>> torch.allclose(weights, attention.head_weights(query, memory).mean(1))
    True
    """

    def __init__(self, *, query_size: int, memory_size: int, heads: int = 4) -> None:
        super().__init__()
        if heads < 1:
            raise UserError(f"heads must be at least 1, but is {heads}.")
        if memory_size % heads:
            raise UserError(
                f"heads must divide the size of the encoder's output, but it is {heads} and the size "
                f"{memory_size}: change heads or the hidden_size of the encoder."
            )
        self.heads = heads
        self.scale = (memory_size // heads) ** -0.5
        self.query_projection = linear(query_size, memory_size, bias=False)
        self.key_projection = linear(memory_size, memory_size, bias=False)
        self.value_projection = linear(memory_size, memory_size, bias=False)
        self.output_projection = linear(memory_size, memory_size, bias=False)

    def keys(self, values: Values) -> Keys:
        return self.key_projection(values)

    @property
    def source_parts(self) -> tuple[nn.Module, ...]:
        return self.key_projection, self.value_projection

    def remember(self, values: Values, mask: SourceMask) -> Memory:
        """The memory that queries read: projected values beside their keys."""
        return Memory(self.value_projection(values), self.keys(values), mask)

    def head_weights(self, query: Query, memory: Memory) -> Float[Tensor, "batch heads target source"]:
        """Weights of every head, `batch heads target source`."""
        queries = self._parts(self.query_projection(query) * self.scale)
        scores = queries @ self._parts(memory.keys).transpose(2, 3)
        readable = memory.readable  # (batch, 1, source), or (batch, target, source), and then that for every head
        if memory.revealed:
            readable = readable.repeat(1, self.heads, 1)
        weights = self.weights(scores.flatten(1, 2), readable)
        return weights.unflatten(1, scores.shape[1:3])

    def forward(self, query: Query, memory: Memory) -> tuple[Context, AttentionWeights]:
        weights = self.head_weights(query, memory)
        read = with_dropout(weights.flatten(1, 2), memory).unflatten(1, weights.shape[1:3])
        contexts = read.to(memory.values.dtype) @ self._parts(memory.values)
        return self.output_projection(contexts.transpose(1, 2).flatten(2)), weights.mean(1)

    def _parts(self, vectors: Float[Tensor, "batch time size"]) -> Float[Tensor, "batch heads time part"]:
        """Parts of the vectors by head, `batch heads time part`."""
        return vectors.unflatten(2, (self.heads, -1)).transpose(1, 2)
