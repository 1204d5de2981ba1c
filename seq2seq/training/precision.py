"""The number format that training computes in."""

import torch

from seq2seq.errors import UserError

_PRECISIONS = ("32-true", "bf16-mixed", "bf16-true", "16-mixed", "16-true", "64-true")


def resolve_precision(precision: str, accelerator: str) -> str:
    """The name of a precision in Lightning; `auto` is bf16-mixed where the hardware multiplies bf16, else 32-true.

    Raises UserError for another name, and for float16 on a CPU, where torch's LSTM has no backward pass in it.
    """
    on_cuda = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    if precision == "auto":
        fast = torch.cuda.is_bf16_supported() if on_cuda else _cpu_multiplies_bf16()
        return "bf16-mixed" if fast else "32-true"
    if precision not in _PRECISIONS:
        raise UserError(f"precision must be one of auto, {', '.join(_PRECISIONS)}, but is {precision!r}.")
    if precision.startswith("16") and not on_cuda:
        raise UserError(f"precision={precision} cannot train an LSTM on a CPU: use auto, bf16-mixed or 32-true.")
    return precision


def _cpu_multiplies_bf16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
