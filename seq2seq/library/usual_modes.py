"""Torch as it is in a process that has set none of its modes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from seq2seq.locks import Lock

_lock = Lock()  # the default type of numbers is of the process, and calls may come from several threads
_found: list[torch.dtype] = []  # what it was when the first of the calls under way began, once for each of them


@contextmanager
def usual_modes() -> Iterator[None]:
    """Compute as if the caller had set no mode of torch: of gradients, autocast, default type of numbers or device.

    A call answers the same wherever it is made. The caller's modes are as before at the end.
    """
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_usual_numbers())
        yield


@contextmanager
def _usual_numbers() -> Iterator[None]:
    """Make float32 the default type of numbers until the last call that is under way has ended."""
    with _lock:
        _found.append(_found[0] if _found else torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        with _lock:
            before = _found.pop()
            if not _found:
                torch.set_default_dtype(before)
