"""Attention to a few positions around one that is predicted."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.layers.linear import linear
from seq2seq.precise import precise
from seq2seq.shapes import AttentionWeights, Query


class LocalAttention(GeneralAttention):
    """Local attention to a window around a predicted position p (Luong et al. 2015, "local-p").

    score = query . U value - (s - p)^2 / (2 sigma^2), p = (length - 1) sigmoid(v . tanh(W query)), sigma = D / 2.

    Positions s further than the window D from p have weight 0. Differs from the paper in that the logarithm of the
    Gaussian is added to the scores, where the paper multiplies the softmax by the Gaussian: so the weights still sum to
    1. And p reaches to the last token, in the paper to one behind it. Raises UserError at a window below 1, which could
    be empty. With v = 0 the window is in the middle:

    >>> import torch
    >>> from seq2seq.layers.attention.local import LocalAttention
    >>> attention = LocalAttention(query_size=3, memory_size=3, window=1)
    >>> _ = torch.nn.init.zeros_(attention.position_vector)
    >>> memory = attention.remember(torch.randn(1, 7, 3), torch.ones(1, 7, dtype=torch.bool))
    >>> context, weights = attention(torch.zeros(1, 1, 3), memory)
    >>> (weights > 0).int().tolist()
    [[[0, 0, 1, 1, 1, 0, 0]]]
    """

    everywhere = False

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        window: int = 4,
        scaled: bool = False,
        scale_size: int | None = None,
    ) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, scaled=scaled, scale_size=scale_size)
        if window < 1:
            raise UserError(f"window must be at least 1, but is {window}.")
        self.window = window
        self.position_projection = linear(query_size, query_size, bias=False)
        self.position_vector = nn.Parameter(torch.empty(query_size).uniform_(-1, 1) * query_size**-0.5)

    def centers(self, query: Query, memory: Memory) -> Float[Tensor, "batch target"]:
        """Predicted positions p, `batch target`, between the first token and the last, in float32 (or better)."""
        hidden = self.position_projection(query).tanh()
        moved = (precise(hidden) * self.position_vector).sum(-1)  # not by a product, which autocast rounds to 8 bits
        return (memory.mask.sum(1, keepdim=True) - 1) * moved.sigmoid()

    def score(self, query: Query, memory: Memory) -> AttentionWeights:
        positions = torch.arange(memory.mask.shape[1], device=memory.mask.device)
        away = positions - self.centers(query, memory).unsqueeze(2)
        scores = super().score(query, memory) - away.square() * (2 / self.window**2)
        return scores.masked_fill(away.abs() > self.window, float("-inf"))
