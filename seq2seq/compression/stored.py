"""Weights in fewer bits, as a file keeps them, and back in float32."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from seq2seq.errors import UserError

FORMS = ("float32", "float16", "int8")
STEPS = 127  # of int8 on each side of 0

Limits = Float[Tensor, " rows"]


class StoredWeights(NamedTuple):
    """Weights by name as they are kept, and of those in int8 the greatest magnitude of every row."""

    weights: dict[str, Tensor]
    limits: dict[str, Limits]


def stored(weights: Mapping[str, Tensor], form_of: Callable[[str], str]) -> StoredWeights:
    """The weights, each in the form that its name has.

    In int8, row r of a matrix is round(127 w / limit_r), limit_r = max |w_r|, so that no weight moves by more than
    limit_r / 254; vectors, of which there are few numbers, and whole numbers stay. What names share stays one tensor.
    Raises UserError at a weight that float16 cannot hold.
    """
    kept: dict[tuple[int, torch.Size], Tensor] = {}
    found = StoredWeights({}, {})
    for name, weight in weights.items():
        form = form_of(name) if weight.is_floating_point() else "float32"
        form = "float32" if form == "int8" and weight.dim() < 2 else form
        place = weight.data_ptr(), weight.shape
        if place not in kept:
            kept[place] = _as_stored(name, weight, form)
        found.weights[name] = kept[place]
        if form == "int8":
            found.limits[name] = _limits(weight)
    return found


def widened(found: StoredWeights) -> dict[str, Tensor]:
    """The weights in float32: q limit / 127 of those in int8. Stored once more, they are what they were."""
    weights = {}
    for name, weight in found.weights.items():
        if name in found.limits:
            weights[name] = _of_rows(weight, found.limits[name])
        else:
            weights[name] = weight.float() if weight.dtype is torch.float16 else weight
    return weights


def names_of_tables(model: nn.Module) -> set[str]:
    """Names of a model's weights that are looked up by token, those of outputs that are tied to one among them."""
    tables = {module.weight.data_ptr() for module in model.modules() if isinstance(module, nn.Embedding)}
    return {name for name, weight in model.state_dict().items() if weight.data_ptr() in tables}


def _as_stored(name: str, weight: Tensor, form: str) -> Tensor:
    if form == "int8":
        return _rounded(weight, _limits(weight))
    if form == "float32":
        return weight
    if not (half := weight.half()).isfinite().all():
        raise UserError(f"float16 holds numbers up to 65,504, but {name} has greater ones: keep it in int8.")
    return half


def _limits(weight: Tensor) -> Limits:
    return weight.detach().float().flatten(1).abs().amax(1)


def _rounded(weight: Tensor, limits: Limits) -> Int8[Tensor, "rows ..."]:
    rows = weight.detach().double().flatten(1)
    numbers = rows * (STEPS / limits.double().clamp_min(1e-30)).unsqueeze(1)
    return numbers.round().to(torch.int8).view(weight.shape)


def _of_rows(weight: Int8[Tensor, "rows ..."], limits: Limits) -> Tensor:
    rows = weight.double().flatten(1) * limits.double().unsqueeze(1) / STEPS
    return rows.float().view(weight.shape)
