"""A look at one position of the source after the other, a step each."""

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.layers.attention.attention import AttentionState, Memory
from seq2seq.layers.attention.hard_monotonic import PointingAttention, looked, within
from seq2seq.shapes import AttentionWeights, BeamFeatures, BeamWeights, Context, Query


class AlignedAttention(PointingAttention):
    """Attention by which step t reads position t, whatever the query: from the last position on, that one.

    The state is the number of steps so far, `batch`, as far as the memory goes back.

    >>> import torch
    >>> from seq2seq.layers.attention.aligned import AlignedAttention
    >>> attention, values = AlignedAttention(query_size=1, memory_size=4), torch.randn(1, 3, 4)
    >>> memory = attention.remember(values, torch.ones(1, 3, dtype=torch.bool))
    >>> context, weights = attention.unroll(torch.zeros(1, 4, 1), memory, attention.start(memory))
    >>> weights.argmax(-1).tolist()
    [[0, 1, 2, 2]]
    """

    def after(self, state: AttentionState, weights: AttentionWeights) -> AttentionState:
        return (state[0] + weights.shape[1],)

    def moved(self, state: AttentionState, gone: int, size: int) -> AttentionState:
        return ((state[0] - gone).clamp(min=0),)

    def step(
        self, query: BeamFeatures, memory: Memory, state: AttentionState
    ) -> tuple[Context, BeamWeights, AttentionState]:
        return *looked(within(state[0], memory), memory), (state[0] + 1,)

    def unroll(self, query: Query, memory: Memory, state: AttentionState) -> tuple[Context, AttentionWeights]:
        return looked(within(places_of(state, query.shape[1]), memory), memory)


def places_of(state: AttentionState, steps: int) -> Int[Tensor, "batch target"]:
    """The positions that so many steps from a state read, were the source long enough."""
    return state[0].unsqueeze(1) + torch.arange(steps, device=state[0].device)
