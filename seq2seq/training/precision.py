"""The number format that training computes in."""

import torch

from seq2seq.compression.prepared import computes_bfloat16
from seq2seq.errors import UserError

_PRECISIONS = ("32-true", "bf16-mixed", "bf16-true", "16-mixed", "16-true", "64-true")


def resolve_precision(precision: str, accelerator: str) -> str:
    """The name of a precision in Lightning; `auto` is bf16-mixed where the hardware multiplies bf16, else 32-true.

    Raises UserError for another name, for float16 on a CPU, where torch's LSTM has no backward pass in it, and for
    bfloat16 on a CPU that has no kernels for it.
    """
    on_cuda = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    if precision == "auto":
        return "bf16-mixed" if (_gpu_multiplies_bf16() if on_cuda else _cpu_multiplies_bf16()) else "32-true"
    if precision not in _PRECISIONS:
        raise UserError(f"precision must be one of auto, {', '.join(_PRECISIONS)}, but is {precision!r}.")
    if on_cuda:
        return precision
    if precision.startswith("16"):
        raise UserError(f"precision={precision} cannot train an LSTM on a CPU: use auto, bf16-mixed or 32-true.")
    if precision.startswith("bf16") and not computes_bfloat16():
        raise UserError(f"precision={precision} needs a processor that computes bfloat16, and this does not: use auto.")
    return precision


def _gpu_multiplies_bf16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=False)


def _cpu_multiplies_bf16() -> bool:
    """Tell whether bf16 is fast: on processors with AVX-512 alone it is emulated."""
    return (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()) and computes_bfloat16()
