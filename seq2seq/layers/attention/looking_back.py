"""Additive attention that knows where it has looked before."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from seq2seq.layers.attention.additive import AdditiveScore
from seq2seq.layers.attention.attention import AttentionState, Memory, nothing_seen, read
from seq2seq.shapes import AttentionWeights, BeamFeatures, BeamWeights, Context


class LookingBackAttention(AdditiveScore):
    """Additive attention with a view of its past: v . tanh(W query + b + U value + features of earlier weights).

    The state is the sum of all earlier weights, or if not `cumulative` the last ones.
    """

    def __init__(self, *, query_size: int, memory_size: int, size: int, cumulative: bool) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, size=size)
        self.cumulative = cumulative

    @abstractmethod
    def features(self, seen: BeamWeights) -> Float[Tensor, "batch beam source size"]:
        """Features of every position, `batch beam source size`, from its earlier weights, `batch beam source`."""

    def start(self, memory: Memory) -> AttentionState:
        return (nothing_seen(memory),)

    def after(self, state: AttentionState, weights: AttentionWeights) -> AttentionState:
        return (state[0] + weights.sum(1) if self.cumulative else weights[:, -1],)

    def step(
        self, query: BeamFeatures, memory: Memory, state: AttentionState
    ) -> tuple[Context, BeamWeights, AttentionState]:
        (seen,) = state
        features = self.features(seen.to(self.vector.dtype))  # in the arithmetic of the weights, as queries are
        weights = self.weights(self.score(query, memory, features), memory.readable)
        return read(weights, memory), weights, (seen + weights if self.cumulative else weights,)
