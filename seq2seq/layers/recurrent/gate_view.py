"""A gate's own part of a cell's parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class GateView:
    """Rows of a cell's parameters that make one gate. Writing into its matrices writes into the parameters."""

    rows: slice
    input_parameter: nn.Parameter
    recurrent_parameter: nn.Parameter | None  # none where the gate does not read the hidden state
    bias_parameters: tuple[nn.Parameter, ...]  # their sum is the bias; torch's cells have two

    @property
    def input(self) -> Tensor:
        """The gate's weights of the input."""
        return self.input_parameter.data[self.rows]

    @property
    def recurrent(self) -> Tensor | None:
        """The gate's weights of the hidden state, if it has any."""
        return None if self.recurrent_parameter is None else self.recurrent_parameter.data[self.rows]

    @property
    def bias(self) -> Tensor:
        """The gate's bias, to look at."""
        return torch.stack([parameter.data[self.rows] for parameter in self.bias_parameters]).sum(0)

    def set_bias(self, values: Tensor | float) -> None:
        """Make `values` the gate's bias."""
        first, *others = self.bias_parameters
        first.data[self.rows] = values
        for parameter in others:
            parameter.data[self.rows] = 0.0

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of the gradient of the gate's weights and biases; 0 before the first backward pass."""
        parameters = (self.input_parameter, self.recurrent_parameter, *self.bias_parameters)
        gradients = [p.grad[self.rows] for p in parameters if p is not None and p.grad is not None]
        if not gradients:
            return self.input_parameter.new_zeros(())
        return torch.stack([gradient.norm() for gradient in gradients]).norm()


def gate_views(
    sizes: Mapping[str, int], input: nn.Parameter, recurrent: nn.Parameter | None, *biases: nn.Parameter
) -> dict[str, GateView]:
    """Views of all gates by name, which lie below each other in the order of `sizes`."""
    views, start = {}, 0
    for name, size in sizes.items():
        views[name] = GateView(slice(start, start + size), input, recurrent, biases)
        start += size
    return views


def interleaved_views(
    names: Sequence[str],
    input: nn.Parameter,
    recurrent: nn.Parameter,
    bias: nn.Parameter,
    units: tuple[int, int | None] = (0, None),
) -> dict[str, GateView]:
    """Views of all gates by name, whose rows for one unit lie together; of the units from one to before another."""
    count, (first, end) = len(names), units
    stop = None if end is None else count * end
    rows = {name: slice(count * first + number, stop, count) for number, name in enumerate(names)}
    return {name: GateView(own, input, recurrent, (bias,)) for name, own in rows.items()}
