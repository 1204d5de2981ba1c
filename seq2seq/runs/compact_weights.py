"""Weights that a compact checkpoint keeps in fewer bits: written, checked and widened."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from seq2seq.compression.stored import FORMS, StoredWeights, widened
from seq2seq.errors import UserError

_FORM = {"to": str, "tables": str}
_TYPES = (torch.int8, torch.float16, torch.float32)


def compact_entries(found: StoredWeights, forms: Mapping[str, str], ranges: Mapping[str, float]) -> dict[str, Any]:
    """Entries of a checkpoint that keeps weights so: what they are, and ranges that int8 products get."""
    return {"weights": found.weights, "limits": found.limits, "compact": dict(forms), "ranges": dict(ranges)}


def check_compact(checkpoint: Mapping[str, Any]) -> None:
    """Check what only a compact checkpoint has. Raises UserError at what cannot be widened."""
    forms, limits, weights = checkpoint.get("compact"), checkpoint.get("limits"), checkpoint["weights"]
    if not isinstance(forms, dict) or {name: type(form) for name, form in forms.items()} != _FORM:
        raise UserError("compact must name the forms of weights and tables, but does not")
    if not set(forms.values()) <= set(FORMS):
        raise UserError(f"compact must name forms among {', '.join(FORMS)}, but names {', '.join(forms.values())}")
    if not isinstance(limits, dict):
        raise UserError("limits must be a dict, but is not")
    for name, weight in weights.items():
        if weight.is_floating_point() and weight.dtype not in _TYPES:
            raise UserError(f"weights.{name} must be of float32, float16 or int8, but is of {weight.dtype}")
        if (weight.dtype is torch.int8) != (name in limits):
            raise UserError(f"limits.{name} must be there where, and only where, weights.{name} is of int8, but is not")
    for name, rows in limits.items():
        _check_limits(name, rows, weights.get(name))
    _check_ranges(checkpoint.get("ranges"))


def with_wide_weights(checkpoint: dict[str, Any], plain: int) -> dict[str, Any]:
    """The checkpoint with its weights in float32, of the format of others; it still names the forms they had."""
    weights = widened(StoredWeights(checkpoint["weights"], checkpoint["limits"]))
    others = {name: value for name, value in checkpoint.items() if name not in ("limits", "digests")}
    return {**others, "format": plain, "weights": weights}


def _check_limits(name: str, rows: Any, weight: Tensor | None) -> None:
    shape = weight.shape[:1] if weight is not None and weight.dim() > 1 else None
    if not isinstance(rows, Tensor) or rows.dtype is not torch.float32 or rows.shape != shape:
        raise UserError(f"limits.{name} must have a number of float32 for each row of its weights, but has not")
    if not (rows.isfinite() & (rows >= 0)).all():
        raise UserError(f"limits.{name} must be finite and at least 0, but is not")


def _check_ranges(ranges: Any) -> None:
    if not isinstance(ranges, dict) or not all(
        isinstance(name, str) and type(value) is float and isfinite(value) and value >= 0
        for name, value in ranges.items()
    ):
        raise UserError("ranges must be finite numbers of at least 0 by product, but are not")
