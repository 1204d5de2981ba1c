"""Additive attention that is told how much every position has got."""

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.layers.attention.looking_back import LookingBackAttention
from seq2seq.layers.linear import linear
from seq2seq.shapes import BeamWeights


class CoverageAttention(LookingBackAttention):
    """Coverage attention: v . tanh(W query + b + U value + w coverage), coverage = the sum of earlier weights.

    Tu et al. 2016 (linguistic coverage without fertility); See et al. 2017, eq. 11. With w = 0 it is additive.

    A negative w turns the same query away from the value that it found before:

    >>> import torch
    >>> from seq2seq.layers.attention.coverage import CoverageAttention
    >>> attention = CoverageAttention(query_size=1, memory_size=1, size=1)
    >>> for name, value in {"vector": 9.0, "value_projection.weight": 1.0, "coverage_projection.weight": -9.0}.items():
    ...     _ = torch.nn.init.constant_(attention.get_parameter(name), value)
    >>> memory = attention.remember(torch.tensor([[[1.0], [0.0]]]), torch.ones(1, 2, dtype=torch.bool))
    >>> context, weights = attention.unroll(torch.zeros(1, 2, 1), memory, attention.start(memory))
    >>> weights.argmax(-1).tolist()
    [[0, 1]]
    """

    def __init__(self, *, query_size: int, memory_size: int, size: int = 128) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, size=size, cumulative=True)
        self.coverage_projection = linear(1, size, bias=False)

    @property
    def pair_parts(self) -> tuple[nn.Module, ...]:
        return (self.coverage_projection,)

    def features(self, seen: BeamWeights) -> Float[Tensor, "batch beam source size"]:
        return self.coverage_projection(seen.unsqueeze(-1))
