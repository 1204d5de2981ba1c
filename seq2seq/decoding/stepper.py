"""All that a search asks of a model."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils import _pytree as pytree

from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, SourceIds


@runtime_checkable
class Stepper(Protocol):
    """Start on a batch of sources, then score the next tokens of one or many hypotheses of each, step by step.

    Memory is what all hypotheses of a sentence share, states are what each has of its own. Both are nests of
    tuples of tensors with the batch on axis 0; states have the hypotheses on axis 1, one of them at the start.
    Logits are new at every step: who asked for them may write into them.
    """

    def start(self, source: SourceIds, lengths: Lengths) -> tuple[Any, Any]: ...

    def step(self, ids: BeamIds, memory: Any, states: Any) -> tuple[Logits, BeamWeights, Any]: ...


def select(nest: Any, rows: Int[Tensor, " rows"]) -> Any:
    """The given rows of every tensor, in their order; the first rows are a view and cost nothing."""
    first = torch.equal(rows, torch.arange(len(rows), device=rows.device))
    taken: dict[int, Tensor] = {}  # one tensor can be in a nest twice: values that are their own keys

    def take(tensor: Tensor) -> Tensor:
        if id(tensor) not in taken:
            taken[id(tensor)] = tensor[: len(rows)] if first else tensor.index_select(0, rows)
        return taken[id(tensor)]

    return pytree.tree_map(take, nest)


def reorder(states: Any, parents: Int[Tensor, "batch beam"]) -> Any:
    """The state of each hypothesis's parent."""
    starts = torch.arange(len(parents), device=parents.device).unsqueeze(1)

    def take(tensor: Tensor) -> Tensor:
        rows = (starts * tensor.shape[1] + parents).flatten()
        return tensor.flatten(0, 1).index_select(0, rows).unflatten(0, parents.shape)

    return pytree.tree_map(take, states)
