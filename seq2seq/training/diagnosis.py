"""Names of what is not finite, for the line that ends a run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.errors import DivergedError
from seq2seq.finite import listed, not_finite
from seq2seq.interpretation.trace import named_cells, trace
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import BOS


def where_not_finite(
    model: Seq2Seq,
    batches: Sequence[Batch],
    loss: Callable[[Batch], Tensor],
    autocast: Callable[[], AbstractContextManager],
) -> str:
    """The parameters that are not finite, or have such gradients, and the cells of such activations, as part of a line.

    Gates are named where some have such gradients and others have not. Batches are run once more, one by one.
    Gradients are lost.
    """
    named = dict(model.named_parameters())
    found: list[str] = []
    gates: list[str] = []
    cells: list[str] = []
    for batch in batches:
        model.zero_grad()
        with autocast():
            value = loss(batch)
        value.backward()
        given = {name: weight.grad for name, weight in named.items() if weight.grad is not None}
        gates = _gates(model)
        cells = cells or _cells(model, batch)
        if found := not_finite(given):
            break
    model.zero_grad()
    weights = not_finite({name: weight.detach() for name, weight in named.items()})
    gradients = [] if weights else [("gradients of", found), ("gates", gates)]
    kinds = [("parameters", weights), *gradients, ("activations of", cells)]
    return "; ".join(f"{kind} {listed(names)}" for kind, names in kinds if names) or "none when run again"


def _gates(model: Seq2Seq) -> list[str]:
    """The names of gates whose gradients are not finite, unless none are or all."""
    norms = {
        f"{name} {gate}": view.gradient_norm()
        for name, cell in named_cells(model).items()
        for gate, view in cell.gates.items()
    }
    found = not_finite(norms)
    return found if len(found) < len(norms) else []


def _cells(model: Seq2Seq, batch: Batch) -> list[str]:
    """The names of cells whose gates or states are not finite, by targets that begin in a batch."""
    if model.output.frames:  # whose steps are traced by tokens
        return []
    begins = (batch.target_inputs[:, 0] == BOS) & batch.target_mask[:, 0]
    if not bool(begins.any()):
        return []
    target = torch.cat([batch.target_inputs[:, :1], batch.target_outputs], 1)
    traced = trace(model, batch.source[begins], batch.source_lengths[begins], target[begins])
    return [
        name
        for name, cell in traced.cells.items()
        if not_finite({"memory": cell.memory, "hidden": cell.hidden, **cell.gates})
    ]


def refuse_not_finite(checkpoint: Mapping[str, Any], step: int) -> None:
    """Raise DivergedError where weights that a checkpoint would keep are not finite."""
    for kind in ("state_dict", "weights"):
        if names := not_finite(checkpoint[kind]):
            raise DivergedError(
                f"training has diverged at step {step}: weights are not finite and so not saved ({listed(names)}): "
                "lower the learning rate."
            )


def divergence(step: int, limit: int, found: str, folder: Path) -> DivergedError:
    """The error that tells of so many steps in a row that were left out, and of what was found to be not finite."""
    return DivergedError(
        f"training has diverged at step {step}: {limit} steps in a row were left out, as their gradients were not "
        f"finite ({found}): lower the learning rate, clip gradients to less, or look at the batches in {folder}."
    )
