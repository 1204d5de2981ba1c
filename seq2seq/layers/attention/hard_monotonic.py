"""A pointer to one position of the source, which only moves on."""

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from seq2seq.layers.attention.attention import Attention, AttentionState, Memory
from seq2seq.shapes import AttentionWeights, BeamFeatures, BeamWeights, Context, Keys, Query, Values


class PointingAttention(Attention):
    """Attention with all weight on one position, that no scores choose. The state is a number for each source."""

    normalizes = False
    everywhere = False

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__()

    def keys(self, values: Values) -> Keys:
        return values

    def pair_products(self, memory_size: int) -> int:
        return 0

    def start(self, memory: Memory) -> AttentionState:
        return (torch.zeros(len(memory.mask), dtype=torch.long, device=memory.mask.device),)


class HardMonotonicAttention(PointingAttention):
    """Hard monotonic attention (Aharoni & Goldberg 2017): all weight is on one position, from the first to the last.

    A query is the number of positions to move on before reading, `batch target 1`: it is told, and not found by scores.
    At the last position, the end of the source, the pointer stays. The state is where it was last, `batch`. Of moves by
    0, 1, 0 and 1 it reads:

    >>> import torch
    >>> from seq2seq.layers.attention.hard_monotonic import HardMonotonicAttention
    >>> pointer, values = HardMonotonicAttention(query_size=1, memory_size=4), torch.randn(1, 3, 4)
    >>> memory = pointer.remember(values, torch.ones(1, 3, dtype=torch.bool))
    >>> context, weights = pointer.unroll(torch.tensor([[[0.0], [1.0], [0.0], [1.0]]]), memory, pointer.start(memory))
    >>> weights.argmax(-1).tolist()
    [[0, 1, 1, 2]]
    """

    def after(self, state: AttentionState, weights: AttentionWeights) -> AttentionState:
        return (weights[:, -1].argmax(-1),)

    def step(
        self, query: BeamFeatures, memory: Memory, state: AttentionState
    ) -> tuple[Context, BeamWeights, AttentionState]:
        places = within(state[0] + query.squeeze(-1).long(), memory)
        return *looked(places, memory), (places,)

    def unroll(self, query: Query, memory: Memory, state: AttentionState) -> tuple[Context, AttentionWeights]:
        return looked(within(state[0].unsqueeze(1) + query.squeeze(-1).long().cumsum(1), memory), memory)


def at_end(weights: AttentionWeights, memory: Memory) -> Tensor:
    """Numbers that are 1 where the pointer is at the end of its source, else 0, `batch target 1`."""
    last = memory.mask.sum(1) - 1
    return weights.gather(2, last[:, None, None].expand(-1, weights.shape[1], 1))


def within(places: Int[Tensor, "batch target"], memory: Memory) -> Int[Tensor, "batch target"]:
    """The places, or the last of the source where they are behind it."""
    return places.minimum(memory.mask.sum(1, keepdim=True) - 1)


def looked(places: Int[Tensor, "batch target"], memory: Memory) -> tuple[Context, AttentionWeights]:
    """The values at places, and all weight on these."""
    context = memory.values.gather(1, places.unsqueeze(-1).expand(-1, -1, memory.values.shape[2]))
    weights = functional.one_hot(places, memory.mask.shape[1])
    return context, weights.to(torch.promote_types(memory.values.dtype, torch.float32))
