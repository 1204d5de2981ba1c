"""Weights in 16 or 8 bits a number, as the page holds them, and the model that computes with what is left of them."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq

FORMATS = ("float16", "int8")


class StoredWeights(NamedTuple):
    """Weights as bytes, and where each tensor of a name is in them, in plain types."""

    data: bytes
    places: dict[str, dict[str, Any]]

    def widened(self, model: Seq2Seq) -> Seq2Seq:
        """A copy of the model that these are of, with the numbers that the page computes with, in 32 bits."""
        copy, tensors = deepcopy(model), {name: torch.from_numpy(array) for name, array in self._arrays()}
        copy.load_state_dict(tensors)
        return copy.eval()

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        for name, where in self.places.items():
            count, start, shape = int(np.prod(where["shape"])), where["offset"], where["shape"]
            if where["kind"] != "int8":
                found = np.frombuffer(self.data, where["kind"], count, start).astype(np.float32)
            else:
                scales = np.frombuffer(self.data, np.float32, shape[0], start)
                numbers = np.frombuffer(self.data, np.int8, count, start + scales.nbytes)
                found = numbers.reshape(shape).astype(np.float32) * scales[:, None]
            yield name, found.reshape(shape).copy()


def store(model: Seq2Seq, kind: str) -> StoredWeights:
    """The weights of a model: matrices in 16 bits, or in 8 with a scale for each row; vectors in 32, being few.

    What a model has under two names is there once. Raises UserError at a number that is none, or is not finite in 16
    bits.
    """
    parts: list[bytes] = []
    places: dict[str, dict[str, Any]] = {}
    known: dict[int, dict[str, Any]] = {}
    offset = 0
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in known:
            own, data = _stored(name, tensor, kind)
            known[tensor.data_ptr()] = {**own, "shape": list(tensor.shape), "offset": offset}
            parts.append(data + bytes(-len(data) % 4))
            offset += len(parts[-1])
        places[name] = known[tensor.data_ptr()]
    return StoredWeights(b"".join(parts), places)


def _stored(name: str, tensor: Tensor, kind: str) -> tuple[dict[str, Any], bytes]:
    numbers = tensor.detach().float().cpu().numpy()
    if numbers.ndim != 2:
        return {"kind": "float32"}, np.ascontiguousarray(numbers).tobytes()
    with np.errstate(over="ignore"):
        small = numbers.astype(np.float16)
    if not np.isfinite(small).all():
        raise UserError(
            f"to=page needs weights below 65,504, all that 16 bits hold, but {name} has others: train with a lower "
            "learning rate, or decode by the run."
        )
    if kind == "float16":
        return {"kind": kind}, small.tobytes()
    largest = np.abs(numbers).max(1)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return {"kind": kind}, scales.tobytes() + np.rint(numbers / scales[:, None]).astype(np.int8).tobytes()
