"""All that a search asks of a model."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor
from torch.utils import _pytree as pytree

from seq2seq.shapes import AttentionWeights, Lengths, Logits, SourceIds, TokenIds


@runtime_checkable
class Stepper(Protocol):
    """Start on a batch of sources, then score one next token at a time.

    A state is any nest of tuples of tensors with the batch on axis 0, so that a search can reorder it.
    """

    def start(self, source: SourceIds, lengths: Lengths) -> Any: ...

    def step(self, ids: TokenIds, state: Any) -> tuple[Logits, AttentionWeights, Any]: ...


def select(state: Any, rows: Int[Tensor, " rows"]) -> Any:
    """The state of the given rows, in their order."""
    return pytree.tree_map(lambda tensor: tensor.index_select(0, rows), state)
