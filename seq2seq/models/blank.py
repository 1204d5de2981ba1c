"""Models built for their shapes, or for weights that are there: no first values are drawn."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FILLING = {nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_, Tensor.uniform_, Tensor.normal_}


@contextmanager
def blank(device: torch.device | str = "cpu") -> Iterator[None]:
    """Build modules on a device with weights of 0 where random ones would be: those that count are loaded later.

    No random number is drawn, so that what is drawn later is the same. On `meta` there is no memory, either, and the
    first model does not wait for a second until torch has loaded its compiler to fill what is not there.
    """
    with torch.device(device), _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    """Calls of torch, but for those that fill a tensor with random numbers, or make it orthogonal."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in _FILLING:
            tensor: Tensor = args[0] if args else given["tensor"]
            tensor.detach().zero_()
            return tensor
        if func is torch.randn:
            return torch.zeros(*args, **given)
        if func is torch.linalg.qr:
            return args[0], args[0]
        return func(*args, **given)
