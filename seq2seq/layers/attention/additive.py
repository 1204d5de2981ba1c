"""Attention by a small feed-forward network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.layers.attention.attention import Attention, Memory, ScoredAttention
from seq2seq.layers.linear import linear
from seq2seq.shapes import AttentionWeights, Keys, Query, Values


class AdditiveScore(Attention):
    """Additive score v . tanh(W query + b + U value + more), which several kinds of attention share."""

    def __init__(self, *, query_size: int, memory_size: int, size: int) -> None:
        super().__init__()
        self.query_projection = linear(query_size, size)
        self.value_projection = linear(memory_size, size, bias=False)
        self.vector = nn.Parameter(torch.empty(size).uniform_(-1, 1) * size**-0.5)

    def keys(self, values: Values) -> Keys:
        return self.value_projection(values)

    @property
    def source_parts(self) -> tuple[nn.Module, ...]:
        return (self.value_projection,)

    def pair_products(self, memory_size: int) -> int:
        return len(self.vector) + memory_size

    @property
    def scoring_vector(self) -> Float[Tensor, " size"]:
        """The vector v, which reads the score off the hidden layer."""
        return self.vector

    def score(
        self, query: Query, memory: Memory, more: Float[Tensor, "batch target source size"] | None = None
    ) -> AttentionWeights:
        """Scores of every value for every query, `batch target source`; `more` is added before the tanh."""
        sums = self.query_projection(query).unsqueeze(2) + memory.keys.unsqueeze(1)  # batch target source size
        if more is not None:
            sums = sums + more
        return torch.tanh(sums) @ self.scoring_vector.to(sums.dtype)


class AdditiveAttention(AdditiveScore, ScoredAttention):
    """Additive attention: score = v . tanh(W query + b + U value) (Bahdanau et al. 2015).

    Queries and values may differ in width:

    >>> import torch
    >>> from seq2seq.layers.attention.additive import AdditiveAttention
    >>> attention = AdditiveAttention(query_size=3, memory_size=5)
    >>> memory = attention.remember(torch.randn(1, 4, 5), torch.tensor([[True, True, True, False]]))
    >>> context, weights = attention(torch.randn(1, 2, 3), memory)
    >>> context.shape, weights.shape
    (torch.Size([1, 2, 5]), torch.Size([1, 2, 4]))
    >>> weights[..., 3].tolist()  # of padding
    [[0.0, 0.0]]
    """

    def __init__(self, *, query_size: int, memory_size: int, size: int = 128) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, size=size)
