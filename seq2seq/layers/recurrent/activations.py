"""Activations by name."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq.errors import UserError

Activation = Callable[[Tensor], Tensor]


def _identity(sums: Tensor) -> Tensor:
    return sums


_GATE: dict[str, Activation] = {"sigmoid": torch.sigmoid, "hard_sigmoid": functional.hardsigmoid}
_CELL: dict[str, Activation] = {"tanh": torch.tanh, "relu": torch.relu, "identity": _identity}


def gate_function(name: str) -> Activation:
    """Function that opens and closes a gate: sigmoid, or hard_sigmoid = clip(x / 6 + 1/2, 0, 1)."""
    return _named("gate_activation", name, _GATE)


def cell_function(name: str) -> Activation:
    """Function that new content, and the cell before the output gate, go through: tanh, relu or identity."""
    return _named("activation", name, _CELL)


def multiply_by_slope(gradient: Tensor, activation: Activation, values: Tensor) -> None:
    """Multiply a gradient, in place, by the slope of a cell's activation where it gave these values."""
    if activation is torch.tanh:
        torch.ops.aten.tanh_backward.grad_input(gradient, values, grad_input=gradient)
    elif activation is torch.relu:
        gradient.mul_(values > 0)


def _named(option: str, name: str, known: dict[str, Activation]) -> Activation:
    if name not in known:
        raise UserError(f"{option} must be one of {', '.join(known)}, but is {name!r}.")
    return known[name]
