"""Additive attention whose scores have a scale of their own."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.layers.attention.additive import AdditiveScore
from seq2seq.layers.attention.attention import ScoredAttention


class NormalizedAdditiveScore(AdditiveScore):
    """score = g v / |v| . tanh(W query + b + U value), which several kinds of attention share; g starts at `gain`."""

    def __init__(self, *, query_size: int, memory_size: int, size: int, gain: float) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, size=size)
        self.gain = nn.Parameter(torch.tensor(float(gain)))

    @property
    def scoring_vector(self) -> Float[Tensor, " size"]:
        return self.gain * self.vector / self.vector.norm()


class NormalizedAdditiveAttention(NormalizedAdditiveScore, ScoredAttention):
    """score = g v / |v| . tanh(W query + b + U value): additive, weight-normalised (Salimans & Kingma 2016).

    g starts at `gain`. Translation systems start it at sqrt(1 / size), which makes the first weights nearly even.
    """

    def __init__(self, *, query_size: int, memory_size: int, size: int = 128, gain: float = 3.0) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, size=size, gain=gain)
