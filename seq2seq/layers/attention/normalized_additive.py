"""Additive attention whose scores have a scale of their own."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import check_finite
from seq2seq.layers.attention.additive import AdditiveScore
from seq2seq.layers.attention.attention import ScoredAttention


class NormalizedAdditiveScore(AdditiveScore):
    """Normalised additive score g v / |v| . tanh(W query + b + U value), which kinds share; g starts at `gain`."""

    def __init__(self, *, query_size: int, memory_size: int, size: int, gain: float) -> None:
        check_finite(gain=gain)
        super().__init__(query_size=query_size, memory_size=memory_size, size=size)
        self.gain = nn.Parameter(torch.tensor(float(gain)))

    @property
    def scoring_vector(self) -> Float[Tensor, " size"]:
        return self.gain * self.vector / self.vector.norm()


class NormalizedAdditiveAttention(NormalizedAdditiveScore, ScoredAttention):
    """Normalised additive attention: score = g v / |v| . tanh(W query + b + U value).

    v is weight-normalised (Salimans & Kingma 2016). g starts at `gain`. Translation systems start it at sqrt(1 / size),
    which makes the first weights nearly even. They are even at 0, whatever v is:

    >>> import torch
    >>> from seq2seq.layers.attention.normalized_additive import NormalizedAdditiveAttention
    >>> attention = NormalizedAdditiveAttention(query_size=3, memory_size=5, gain=0.0)
    >>> memory = attention.remember(torch.randn(1, 4, 5), torch.ones(1, 4, dtype=torch.bool))
    >>> context, weights = attention(torch.randn(1, 1, 3), memory)
    >>> weights.tolist()
    [[[0.25, 0.25, 0.25, 0.25]]]
    """

    def __init__(self, *, query_size: int, memory_size: int, size: int = 128, gain: float = 3.0) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, size=size, gain=gain)
