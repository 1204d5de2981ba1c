"""Torch as it is in a process that has set none of its modes."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident

import torch

from seq2seq.locks import Lock

_lock = Lock()  # the default type of numbers is of the process, and calls may come from several threads
# Of each call that is under way, its thread and the type that there was when the first of them began.
_under_way: list[tuple[int, torch.dtype]] = []


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
        own = (get_ident(), _under_way[0][1] if _under_way else torch.get_default_dtype())
        _under_way.append(own)
        torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        with _lock:
            if len(_under_way) == 1:  # it still is while the type is set: a process may be forked in between
                torch.set_default_dtype(own[1])
            _under_way.remove(own)


def _end_those_of_others() -> None:
    """End, in a process that is forked, the calls of threads that are not there."""
    if _under_way:
        before = _under_way[0][1]
        _under_way[:] = [call for call in _under_way if call[0] == get_ident()]
        if not _under_way:
            torch.set_default_dtype(before)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_end_those_of_others)
