"""Numbers that are not finite: found in tensors, and kept out of JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

_NAMED = 3


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that hold infinity or what is no number."""
    return [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]


def listed(names: Sequence[str]) -> str:
    """The first few of the names, and how many there are beside them."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def strict_json(value: Any, **layout: Any) -> str:
    """The value as JSON, which knows finite numbers alone: any other becomes null."""
    return json.dumps(_nulled(value), allow_nan=False, **layout)


def _nulled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nulled(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_nulled(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
