"""A model that a config describes, with stored weights: both are compared before memory is taken."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from seq2seq.errors import UserError
from seq2seq.models.blank import blank
from seq2seq.models.seq2seq import Seq2Seq

_SPARE = 1000  # parts of a model that have no weights of their own
_TRUE = {"bf16-true": torch.bfloat16, "16-true": torch.float16, "64-true": torch.float64}


def with_weights(build: Callable[[], Seq2Seq], config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Seq2Seq:
    """The model that is built, with its weights.

    Raises UserError where names, shapes or types of numbers are not those of the model: a config can ask for any size.
    """
    with blank("meta"), _parts(at_most=_SPARE + 20 * len(weights)):
        wanted = build().state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        ours, given = wanted.get(name), weights.get(name)
        if ours is None or given is None or ours.shape != given.shape:
            raise UserError(f"model describes {name} with shape {_shape(ours)}, but the weights have {_shape(given)}.")
        if given.dtype not in (ours.dtype, _TRUE.get(str(config.get("precision")))):
            raise UserError(f"model describes {name} as {ours.dtype}, but the weights have {given.dtype}.")
    with blank():
        model = build()
    model.load_state_dict(dict(weights))
    return model


@contextmanager
def _parts(*, at_most: int) -> Iterator[None]:
    """Build so many parameters and modules at most, in this thread. Raises UserError at one more."""
    found, builder = 0, get_ident()

    def count(*_: Any) -> None:
        nonlocal found
        found += get_ident() == builder
        if found > at_most:
            raise UserError(f"model describes more than {at_most:,} parts, but the weights have no place for as many.")

    hooks = [register_module_parameter_registration_hook(count), register_module_module_registration_hook(count)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _shape(weight: Tensor | None) -> str:
    return "none" if weight is None else str(list(weight.shape))
