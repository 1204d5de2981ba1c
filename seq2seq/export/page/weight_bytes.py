"""Weights in 16 or 8 bits as the bytes of a page, with an index, and the model of the numbers that are left."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq.compression.stored import StoredWeights, stored, widened
from seq2seq.models.seq2seq import Seq2Seq

_KINDS = {torch.int8: "int8", torch.float16: "float16"}  # other tensors are in float32
_ALIGNED = 4  # bytes, at whose multiples a page's script can look at numbers of 32 bits


class WeightBytes(NamedTuple):
    """Weights as bytes, where each tensor of a name is in them, in plain types, and the weights themselves."""

    data: bytes
    places: dict[str, dict[str, Any]]
    kept: StoredWeights

    def widened(self, model: Seq2Seq) -> Seq2Seq:
        """A copy of the model that these are of, with the numbers that the page computes with, in 32 bits."""
        copy = deepcopy(model)
        copy.load_state_dict(widened(self.kept))
        return copy.eval()


def store(model: Seq2Seq, form: str) -> WeightBytes:
    """The weights of a model: matrices in float16, or in int8 with a limit for each row before them; others in 32 bits.

    What a model has under two names is there once. Raises UserError at a number that float16 cannot hold.
    """
    weights: Mapping[str, Tensor] = model.state_dict()
    kept = stored(weights, lambda name: form if weights[name].dim() == 2 else "float32")
    parts: list[bytes] = []
    known: dict[int, dict[str, Any]] = {}
    offset = 0
    for name, weight in kept.weights.items():
        if id(weight) not in known:
            kind = _KINDS.get(weight.dtype, "float32")
            known[id(weight)] = {"kind": kind, "shape": list(weight.shape), "offset": offset}
            parts.append(_laid_out(weight, kept.limits.get(name)))
            offset += len(parts[-1])
    return WeightBytes(b"".join(parts), {name: known[id(weight)] for name, weight in kept.weights.items()}, kept)


def _laid_out(weight: Tensor, limits: Tensor | None) -> bytes:
    """The bytes of a tensor, those of its rows' limits before them, up to where the next may begin."""
    numbers = weight if weight.dtype in _KINDS else weight.float()
    parts = [numbers] if limits is None else [limits, numbers]
    data = b"".join(part.detach().cpu().numpy().tobytes() for part in parts)
    return data + bytes(-len(data) % _ALIGNED)
