"""Names of what is not finite, for the line that ends a run."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.finite import listed, not_finite
from seq2seq.interpretation.trace import trace
from seq2seq.models.seq2seq import Seq2Seq


def where_not_finite(
    model: Seq2Seq,
    batches: Sequence[Batch],
    loss: Callable[[Batch], Tensor],
    autocast: Callable[[], AbstractContextManager],
) -> str:
    """The parameters that are not finite, or have such gradients, and the cells of such activations, as part of a line.

    Batches are run once more, one by one. Gradients are lost.
    """
    named = dict(model.named_parameters())
    found: list[str] = []
    cells: list[str] = []
    for batch in batches:
        model.zero_grad()
        with autocast():
            value = loss(batch)
        value.backward()
        gradients = {name: weight.grad for name, weight in named.items() if weight.grad is not None}
        cells = cells or _cells(model, batch)
        if found := not_finite(gradients):
            break
    model.zero_grad()
    weights = not_finite({name: weight.detach() for name, weight in named.items()})
    kinds = (("parameters", weights), ("gradients of", [] if weights else found), ("activations of", cells))
    return "; ".join(f"{kind} {listed(names)}" for kind, names in kinds if names) or "none when run again"


def _cells(model: Seq2Seq, batch: Batch) -> list[str]:
    """The names of cells whose gates or states are not finite."""
    if not bool(batch.target_mask.any()):
        return []
    target = torch.cat([batch.target_inputs[:, :1], batch.target_outputs], 1)
    traced = trace(model, batch.source, batch.source_lengths, target)
    return [
        name
        for name, cell in traced.cells.items()
        if not_finite({"memory": cell.memory, "hidden": cell.hidden, **cell.gates})
    ]
