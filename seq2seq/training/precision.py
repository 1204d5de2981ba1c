"""The number format that training computes in."""

import logging
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from seq2seq.compression.prepared import computes_bfloat16
from seq2seq.errors import UserError
from seq2seq.machine import WORTH_ROUNDING, speedup

logger = logging.getLogger(__name__)

_STEPS, _ROWS, _SIZE = 12, 128, 128  # of the layer that is timed
_PRECISIONS = ("32-true", "bf16-mixed", "bf16-true", "16-mixed", "16-true", "64-true")


def resolve_precision(precision: str, accelerator: str) -> str:
    """The name of a precision in Lightning; `auto` is bf16-mixed where that trains faster, else 32-true.

    On a CPU that is measured. A named precision that is slower than 32-true here is taken, and warned of. Raises
    UserError for another name, for float16 on a CPU, where torch's LSTM has no backward pass in it, and for bfloat16 on
    a CPU that has no kernels for it.
    """
    on_cuda = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    if precision == "auto":
        return "bf16-mixed" if (_gpu_multiplies_bf16() if on_cuda else _cpu_multiplies_bf16()) else "32-true"
    if precision not in _PRECISIONS:
        raise UserError(f"precision must be one of auto, {', '.join(_PRECISIONS)}, but is {precision!r}.")
    if precision == "16-true":
        logger.warning("precision=16-true scales no loss, so that small gradients vanish: 16-mixed does")
    if on_cuda:
        return precision
    if precision.startswith("16"):
        raise UserError(f"precision={precision} cannot train an LSTM on a CPU: use auto, bf16-mixed or 32-true.")
    if precision.startswith("bf16") and not computes_bfloat16():
        raise UserError(f"precision={precision} needs a processor that computes bfloat16, and this does not: use auto.")
    if precision == "bf16-mixed" and (times := 1 / cpu_speedup()) > 1:
        logger.warning("precision=bf16-mixed takes %.1f times as long as 32-true here; auto takes the faster", times)
    return precision


def cpu_speedup() -> float:
    """The times that this processor trains an LSTM faster in bf16-mixed than in float32; 0 where it cannot."""
    if not computes_bfloat16():
        return 0.0
    return speedup("train an LSTM", {"32-true": lstm_step(bf16=False), "bf16-mixed": lstm_step(bf16=True)})


@torch.inference_mode(False)
def lstm_step(*, bf16: bool, rows: int = _ROWS, size: int = _SIZE) -> Callable[[], None]:
    """A training step of one LSTM layer, to be timed: forward and backward over a few steps of so many rows."""
    with torch.random.fork_rng(devices=[]):
        layer = nn.LSTM(size, size, batch_first=True)
        inputs = torch.randn(rows, _STEPS, size, requires_grad=True)
    return partial(_take, layer, inputs, bf16)


@torch.inference_mode(False)
@torch.enable_grad()
def _take(layer: nn.LSTM, inputs: torch.Tensor, bf16: bool) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        outputs, _ = layer(inputs)
    outputs.float().sum().backward()


def _gpu_multiplies_bf16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=False)


def _cpu_multiplies_bf16() -> bool:
    return cpu_speedup() > WORTH_ROUNDING
