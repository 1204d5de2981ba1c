"""Linear maps with their first values."""

from torch import nn


def initialize_linear(linear: nn.Linear) -> None:
    """Draw the weight by Xavier's uniform rule, and set the bias to zero."""
    nn.init.xavier_uniform_(linear.weight)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)


def linear(input_size: int, output_size: int, *, bias: bool = True) -> nn.Linear:
    """An initialised `nn.Linear`."""
    layer = nn.Linear(input_size, output_size, bias=bias)
    initialize_linear(layer)
    return layer
