"""Numbers of parameters, and the size at which a model has a given one."""

from collections.abc import Callable

from torch import nn

from seq2seq.errors import UserError

_STEP, _LARGEST = 4, 4096


def fitted_size(parameters: Callable[[int], int], wanted: int) -> int:
    """The multiple of 4, up to 4096, whose number of parameters is nearest to the one wanted.

    Parameters grow with the size. A size at which a model cannot be built is too small.
    """
    low, high = 1, _LARGEST // _STEP  # in steps
    while low < high:
        middle = (low + high) // 2
        count = _count(parameters, middle * _STEP)
        low, high = (low, middle) if count is not None and count >= wanted else (middle + 1, high)
    counts = {steps * _STEP: _count(parameters, steps * _STEP) for steps in (low, low - 1) if steps > 0}
    possible = {size: count for size, count in counts.items() if count is not None}
    return min(possible, key=lambda size: abs(possible[size] - wanted), default=low * _STEP)


def parameter_count(model: nn.Module) -> int:
    """The number of parameters of a model; what two parts share counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def zero_count(model: nn.Module) -> int:
    """The number of those parameters that are zero; what two parts share counts once."""
    return sum(int((parameter == 0).sum()) for parameter in model.parameters())


def shortened(count: int) -> str:
    """A number as it is said: 950, 12.3k, 1.9M, 1.2B."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return str(count)


def _count(parameters: Callable[[int], int], size: int) -> int | None:
    """Number of parameters at the size; None where another option, such as a rank, does not fit it."""
    try:
        return parameters(size)
    except UserError:
        return None
