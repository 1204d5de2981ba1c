"""Copies of a run's models, which calls lay out anew, while a caller may train the models themselves."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from seq2seq.runs.run import LoadedRun

Laid = TypeVar("Laid")
Weights = tuple[tuple[int, int, int, int, float], ...]
_MOST = 4  # of one run's weights, as each is a copy of them
_LOOKED_AT = 64  # values of a tensor, about


class Layouts(Generic[Laid]):
    """The last few things that calls have laid out of a run's weights, for as long as these stay as they are."""

    def __init__(self) -> None:
        self._found: dict[str, Laid] = {}
        self._weights: Weights = ()

    def of(
        self, script: str, keywords: Mapping[str, Any], members: Sequence[LoadedRun], lay_out: Callable[[], Laid]
    ) -> Laid:
        """The thing that was laid out for a call of these keywords, else what is laid out now."""
        asked = f"{script} {sorted(keywords.items(), key=lambda item: item[0])!r}"
        if (weights := weights_now(members)) != self._weights:
            self._found, self._weights = {}, weights
        if asked not in self._found:
            laid = lay_out()
            while len(self._found) >= _MOST:
                del self._found[next(iter(self._found))]
            self._found[asked] = laid
        return self._found[asked]


def copies(members: Sequence[LoadedRun]) -> list[LoadedRun]:
    """The runs with copies of their models, in evaluation mode."""
    return [replace(run, model=deepcopy(run.model).eval()) for run in members]


def weights_now(members: Sequence[LoadedRun]) -> Weights:
    """A record that is another once tensors of the models have been replaced, or changed in place.

    torch counts changes, but none by way of `.data`: of these, the sums of all bits of each row tell. Values that
    change places within a row can pass for those of before.
    """
    return tuple(
        (id(tensor), tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version, *_sums(tensor))
        for run in members
        for tensor in (*run.model.parameters(), *run.model.buffers())
    )


def _sums(tensor: Tensor) -> tuple[int, float]:
    """A hash of the sums of the bits of each row, by eights of bytes, and the sum of some values by their places."""
    values = tensor.detach().contiguous()
    octets = values.flatten().view(torch.uint8)
    octets = octets.clone() if octets.storage_offset() % 8 else octets
    rows = len(values) if values.dim() > 1 and values.numel() and not len(octets) % (8 * len(values)) else 1
    whole = len(octets) // (8 * rows) * 8 * rows
    bits = octets[:whole].view(torch.int64).view(rows, -1).sum(1)
    some = values.flatten()[:: max(1, values.numel() // _LOOKED_AT)].double()
    places = torch.arange(1, len(some) + 1, device=some.device)
    return hash((*bits.tolist(), int(octets[whole:].sum()))), float((some * places).sum())
