"""Connections of a stack's layers: how each hands upwards its outputs, and what it read."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import nn

from seq2seq.errors import UserError
from seq2seq.layers.highway import HighwayGate
from seq2seq.shapes import Inputs, Outputs, TimeVectors


class Connection(nn.Module, ABC):
    """A join of the outputs of one layer with its inputs, to `size` values a step."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.size = output_size

    @abstractmethod
    def forward(self, inputs: Inputs, outputs: Outputs) -> TimeVectors:
        """Vectors that the next layer reads, `batch time size`."""


class PlainConnection(Connection):
    """A connection that hands on the outputs alone."""

    def forward(self, inputs: Inputs, outputs: Outputs) -> TimeVectors:
        return outputs


class ResidualConnection(Connection):
    """Residual connection: outputs + inputs where sizes agree, else the outputs alone (He et al. 2016)."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__(input_size, output_size)
        self.adds = input_size == output_size

    def forward(self, inputs: Inputs, outputs: Outputs) -> TimeVectors:
        return outputs + inputs if self.adds else outputs


class HighwayConnection(Connection):
    """A highway gate between outputs and inputs, which are projected where sizes differ (Zhang et al. 2016)."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__(input_size, output_size)
        self.gate = HighwayGate(input_size, output_size)

    def forward(self, inputs: Inputs, outputs: Outputs) -> TimeVectors:
        return self.gate(inputs, outputs)


class DenseConnection(Connection):
    """Dense connection, [inputs; outputs]: layers read the stack's input and all outputs below (Huang et al. 2017)."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__(input_size, output_size)
        self.size = input_size + output_size

    def forward(self, inputs: Inputs, outputs: Outputs) -> TimeVectors:
        return torch.cat([inputs, outputs], -1)


_CONNECTIONS: dict[str, type[Connection]] = {
    "none": PlainConnection,
    "residual": ResidualConnection,
    "highway": HighwayConnection,
    "dense": DenseConnection,
}


def by_layer(connection: str | Sequence[str], num_layers: int) -> list[str]:
    """The names of the connections of all layers, bottom first, which may be one for all.

    Raises UserError at another number of them than there are layers.

    >>> from seq2seq.layers.recurrent.connections import by_layer
    >>> by_layer("residual", 2), by_layer(["none", "residual"], 2)
    (['residual', 'residual'], ['none', 'residual'])
    """
    if isinstance(connection, str):
        return [connection] * num_layers
    if len(connection) != num_layers:
        raise UserError(
            f"connection must be one for all layers, or as many as layers, {num_layers}, but is {list(connection)}: "
            "name one for each, bottom first."
        )
    return list(connection)


def connect(name: str, input_size: int, output_size: int, *, top: bool) -> Connection:
    """A connection by name. Raises UserError at another name.

    A dense stack hands out the outputs of its top layer alone, which has read all others: they are as many as those of
    any other stack.
    """
    if name not in _CONNECTIONS:
        raise UserError(f"connection must be one of {', '.join(_CONNECTIONS)}, but is {name!r}.")
    kind = PlainConnection if top and name == "dense" else _CONNECTIONS[name]
    return kind(input_size, output_size)
