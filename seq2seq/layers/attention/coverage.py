"""Additive attention that is told how much every position has got."""

from jaxtyping import Float
from torch import Tensor

from seq2seq.layers.attention.looking_back import LookingBackAttention
from seq2seq.layers.linear import linear
from seq2seq.shapes import BeamWeights


class CoverageAttention(LookingBackAttention):
    """score = v . tanh(W query + b + U value + w coverage), coverage = the sum of earlier weights.

    Tu et al. 2016 (linguistic coverage without fertility); See et al. 2017, eq. 11. With w = 0 it is additive.
    """

    def __init__(self, *, query_size: int, memory_size: int, size: int = 128) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, size=size, cumulative=True)
        self.coverage_projection = linear(1, size, bias=False)

    def features(self, seen: BeamWeights) -> Float[Tensor, "batch beam source size"]:
        return self.coverage_projection(seen.unsqueeze(-1))
