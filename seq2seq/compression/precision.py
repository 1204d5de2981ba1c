"""The number format of a decoder's products: that which is asked for, or the fastest here."""

import logging
from collections.abc import Callable
from functools import partial

import torch

from seq2seq.compression.prepared import PRECISIONS, Int8Linear, PreparedLinear, check_precision, prepare
from seq2seq.errors import UserError
from seq2seq.machine import WORTH_ROUNDING, speedup

logger = logging.getLogger(__name__)
_ROWS, _INPUTS, _OUTPUTS = 256, 384, 1024  # of the product that is timed


def resolve_decoding_precision(precision: str, device: torch.device) -> str:
    """The name of a precision that `pack` takes; `auto` is float32, or what is clearly faster on this processor.

    A named one that is slower than float32 here is taken, and warned of. Raises UserError at any other name, and at a
    precision that cannot be had.
    """
    if precision not in ("auto", *PRECISIONS):
        raise UserError(f"precision must be one of auto, {', '.join(PRECISIONS)}, but is {precision!r}.")
    if precision != "auto":
        check_precision(precision, device)
        if device.type == "cpu" and precision != "float32" and (times := 1 / _speedup(precision)) > 1:
            logger.warning(
                "precision=%s takes %.1f times as long as float32 here; precision=auto takes the fastest",
                *(precision, times),
            )
        return precision
    if device.type != "cpu":
        return "float32"
    speedups = {name: _speedup(name) for name in PRECISIONS if name != "float32" and _can_be_had(name)}
    fastest = max(speedups, key=lambda name: speedups[name], default="float32")
    if fastest == "float32" or speedups[fastest] <= WORTH_ROUNDING:
        return "float32"
    logger.info("precision: %s, whose products are %.1f times as fast as float32's here", fastest, speedups[fastest])
    return fastest


def _can_be_had(precision: str) -> bool:
    try:
        check_precision(precision, torch.device("cpu"))
    except UserError:
        return False
    return True


def _speedup(precision: str) -> float:
    """The times that a product is faster than in float32."""
    return speedup(f"a product of {_ROWS} rows", {name: _product(name) for name in ("float32", precision)})


@torch.inference_mode()
def _product(precision: str) -> Callable[[], object]:
    inputs = torch.linspace(-1, 1, _ROWS * _INPUTS).unflatten(0, (_ROWS, _INPUTS))
    weight = torch.linspace(-1, 1, _OUTPUTS * _INPUTS).unflatten(0, (_OUTPUTS, _INPUTS))
    product = prepare(weight, weight[:, 0].contiguous(), precision)
    if isinstance(product, Int8Linear):
        product.limited(1.0)  # the range of these inputs
    return partial(_run, product, inputs)


@torch.inference_mode()
def _run(product: PreparedLinear, inputs: torch.Tensor) -> None:
    product(inputs)
