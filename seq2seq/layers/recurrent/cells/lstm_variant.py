"""Base of the LSTM's relatives."""

from typing import ClassVar

from seq2seq.layers.recurrent.cells.gated import GatedCell
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout


class LSTMVariant(GatedCell):
    """A gated cell whose gates and memory are all as wide as its hidden state.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
    >>> cell, inputs = LSTMVariant(3, 4), torch.randn(2, 3)
    >>> state, gates = cell(cell.project(inputs), cell.start(inputs))
    >>> [tuple(part.shape) for part in (*state, *gates)]
    [(2, 4), (2, 4), (2, 4), (2, 4), (2, 4), (2, 4)]
    """

    gate_names: ClassVar[tuple[str, ...]] = LSTMGates._fields

    def __init__(self, input_size: int, hidden_size: int, *, options: GatedCellOptions = GATED_DEFAULTS) -> None:
        layout = StateLayout(LSTMState, (hidden_size, hidden_size))
        super().__init__(input_size, layout, dict.fromkeys(self.gate_names, hidden_size), options)
        self.extend()

    def extend(self) -> None:
        """Add the parameters that a kind has beyond its matrices."""
