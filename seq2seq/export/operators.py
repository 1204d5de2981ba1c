"""Layers of an encoder as the operators that ONNX has for them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.bidirectional import BidirectionalLayer
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.elman import ElmanCell
from seq2seq.layers.recurrent.cells.fused import FusedCell
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.layer import RecurrentLayer
from seq2seq.layers.recurrent.one_way import OneWayLayer
from seq2seq.shapes import Inputs, Lengths, Outputs, Vectors

_VERSION = 14  # of the operators, the newest that opset 20 has
# By torch's kernel: the operator, torch's gates in the operator's order, and what else it is told.
_OPERATORS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "LSTM": ("LSTM", (0, 3, 1, 2), {}),  # i f g o -> i o f g
    "GRU": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),  # r z g -> z r g
    "RNN_TANH": ("RNN", (0,), {"activations": ["Tanh"]}),
    "RNN_RELU": ("RNN", (0,), {"activations": ["Relu"]}),
}


class OperatorLayer(RecurrentLayer):
    """A layer as one LSTM, GRU or RNN operator of both directions, to be traced: it computes nothing itself.

    The operator reads each sequence within its length. Raises UserError where there is none for the layer.
    """

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        cells = [_with_operator(cell) for cell in _cells(layer)]
        self.layer, self.output_size = layer, layer.output_size
        self.operator, order, self.attributes = _OPERATORS[cells[0].kernel.mode]
        self.hidden_size = cells[0].hidden_size
        weights = [cell.kernel.all_weights[0] for cell in cells]
        input, recurrent, *biases = (
            torch.stack([_ordered(each, order) for each in part]) for part in zip(*weights, strict=True)
        )
        self.weights = [input, recurrent, torch.cat(biases, 1)]  # direction gates ...
        self.has_memory = len(cells[0].layout.sizes) == 2

    @property
    def directions(self) -> dict[str, Cell]:
        return self.layer.directions

    def forward(self, inputs: Inputs, lengths: Lengths) -> tuple[Outputs, Vectors]:
        count, (batch, time) = len(self.directions), inputs.shape[:2]
        last = (count, batch, self.hidden_size)
        shapes = [(time, count, batch, self.hidden_size), last, *([last] if self.has_memory else [])]
        activations = self.attributes.get("activations")
        attributes = {
            **self.attributes,
            "hidden_size": self.hidden_size,
            "direction": "bidirectional" if count == 2 else "forward",
            **({"activations": activations * count} if activations else {}),
        }
        outputs, *states = torch.onnx.ops.symbolic_multi_out(
            self.operator,
            (inputs.transpose(0, 1), *self.weights, lengths.int()),
            attributes,
            dtypes=[torch.float32] * len(shapes),
            shapes=shapes,
            version=_VERSION,
        )
        # (time, direction, batch, half) -> (batch, time, direction * half); (direction, batch, half) -> (batch, ...)
        return outputs.permute(2, 0, 1, 3).flatten(2), self._last(states)

    def _last(self, states: Sequence[Tensor]) -> Vectors:
        """The last outputs, or all that the layer leaves."""
        kept = states if getattr(self.layer, "leaves_state", False) else states[:1]
        return torch.cat([part.transpose(0, 1).flatten(1) for part in kept], -1)


def use_operators(layers: nn.ModuleList) -> nn.ModuleList:
    """The layers of an encoder as operators. Raises UserError, by name, at a layer or cell that has none."""
    return nn.ModuleList(OperatorLayer(layer) for layer in layers if isinstance(layer, RecurrentLayer))


def _cells(layer: RecurrentLayer) -> list[Cell]:
    if not isinstance(layer, BidirectionalLayer | OneWayLayer):
        raise UserError(
            f"to=onnx has no operator for {type(layer).__name__}: train with block_size=null, or decode by the run."
        )
    return list(layer.directions.values())


def _with_operator(cell: Cell) -> FusedCell:
    """The cell, if an operator computes what it does."""
    name = type(cell).__name__
    if type(cell) not in (LSTMCell, GRUCell, ElmanCell) or not isinstance(cell, FusedCell):
        raise UserError(
            f"to=onnx has operators for encoders of the cells lstm, gru and elman, but none for {name}: train one of "
            "these, or decode by the run."
        )
    if not cell.plain:
        raise UserError(
            f"to=onnx has an operator for {name} with its usual activations and without zoneout, but this encoder has "
            "others: decode by the run."
        )
    return cell


def _ordered(weight: Tensor, order: Sequence[int]) -> Tensor:
    """Rows of torch's gates in the order of an operator."""
    gates = weight.detach().chunk(len(order))
    return torch.cat([gates[number] for number in order])
