"""Precision of products of float32 matrices."""

import torch

from seq2seq.errors import UserError

_PRECISIONS = ("highest", "high", "medium")


def set_matmul_precision(precision: object) -> None:
    """Let every product of float32 matrices be as precise as torch's word says, those inside cuDNN alike.

    highest is float32; high and medium may round what goes into a product to TF32, 10 bits, on CUDA, and on a CPU to
    what oneDNN has for the word. Left alone, cuDNN's LSTM would take TF32 and all other products would not, so that the
    fused and the visible path differed. Raises UserError at another word.
    """
    if precision not in _PRECISIONS:
        raise UserError(f"matmul_precision must be one of {', '.join(_PRECISIONS)}, but is {precision!r}.")
    torch.set_float32_matmul_precision(str(precision))
    torch.backends.cudnn.allow_tf32 = precision != "highest"
