"""The number format that training computes in."""

import logging
from collections.abc import Callable
from functools import partial

import torch

from seq2seq.compression.prepared import computes_bfloat16
from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.machine import WORTH_ROUNDING, speedup

logger = logging.getLogger(__name__)

_STEPS, _ROWS, _SIZE = 12, 128, 128  # of the layer that is timed
_SIZE_ON_GPU = 512  # below which starting kernels is all that takes time
_PRECISIONS = ("32-true", "bf16-mixed", "bf16-true", "16-mixed", "16-true", "64-true")


def resolve_precision(precision: str, accelerator: str) -> str:
    """The name of a precision in Lightning; `auto` is bf16-mixed where that trains faster, else 32-true.

    That is measured. A named precision that is slower than 32-true on this CPU is taken, and warned of. Raises
    UserError for another name, for float16 on a CPU, where torch's LSTM has no backward pass in it, and for bfloat16 on
    a CPU that has no kernels for it.
    """
    on_cuda = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    if precision == "auto":
        return "bf16-mixed" if (gpu_speedup() if on_cuda else cpu_speedup()) > WORTH_ROUNDING else "32-true"
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


def gpu_speedup() -> float:
    """The times that this GPU trains an LSTM faster in bf16-mixed than in float32; 0 where it only emulates it."""
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        return 0.0
    steps = {
        "32-true": lstm_step(bf16=False, size=_SIZE_ON_GPU, device="cuda"),
        "bf16-mixed": lstm_step(bf16=True, size=_SIZE_ON_GPU, device="cuda"),
    }
    return speedup(f"train an LSTM on {torch.cuda.get_device_name()}", steps)


@torch.inference_mode(False)
def lstm_step(*, bf16: bool, rows: int = _ROWS, size: int = _SIZE, device: str = "cpu") -> Callable[[], None]:
    """A training step of one LSTM layer, to be timed: forward and backward over a few steps of so many rows."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device == "cuda" else []):
        layer = LSTMCell(size, size).to(device)
        inputs = torch.randn(rows, _STEPS, size, device=device, requires_grad=True)
    return partial(_take, layer, inputs, bf16)


@torch.inference_mode(False)
@torch.enable_grad()
def _take(layer: LSTMCell, inputs: torch.Tensor, bf16: bool) -> None:
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bf16):
        outputs, _ = layer.unroll(inputs, layer.start(inputs))
    outputs.float().sum().backward()
    if inputs.is_cuda:
        torch.cuda.synchronize()
