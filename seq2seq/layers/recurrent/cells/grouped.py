"""The LSTM with units in groups."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.activations import gate_function
from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, CellOptions, GatedCellOptions
from seq2seq.layers.recurrent.gate_view import GateView, interleaved_views
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise


class GroupedLSTMCell(Cell):
    """Long short-term memory whose units are in groups, each an LSTM (Kuchaiev & Ginsburg 2017, "G-LSTM").

    A group reads its own hidden states and, of k groups, every k-th input, so that groups of a layer meet in the next
    (Gao et al. 2018). Products cost a k-th. A group has one unit or input less where k divides neither. Raises
    UserError if there are not as many of both.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.grouped import GroupedLSTMCell
    >>> cell, inputs = GroupedLSTMCell(4, 6, groups=2), torch.randn(1, 5, 4)
    >>> tuple(cell.input_weight.shape), tuple(cell.recurrent_weight.shape)  # a row for each unit of each gate
    ((24, 2), (24, 3))
    >>> before = cell.unroll(inputs, cell.start(inputs))[0]
    >>> inputs[:, :, 1::2] = 0.0  # what the second group reads
    >>> (before == cell.unroll(inputs, cell.start(inputs))[0])[0, 0].tolist()
    [True, True, True, False, False, False]
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, groups: int = 4, options: GatedCellOptions = GATED_DEFAULTS
    ) -> None:
        most = min(input_size, hidden_size)
        if not 1 <= groups <= most:
            raise UserError(
                f"groups must be between 1 and {most} for a cell of {hidden_size} units that reads {input_size}, "
                f"but is {groups}: use fewer groups, or larger sizes."
            )
        super().__init__(input_size, 4 * hidden_size, StateLayout(LSTMState, (hidden_size, hidden_size)), options)
        self.gate_activation = gate_function(options.gate_activation)
        self.units = [len(range(group, hidden_size, groups)) for group in range(groups)]  # the first have one more
        self.input_weight = nn.Parameter(torch.zeros(4 * hidden_size, -(-input_size // groups)))
        self.recurrent_weight = nn.Parameter(torch.zeros(4 * hidden_size, self.units[0]))
        self.bias = nn.Parameter(torch.zeros(4 * hidden_size))
        self.initialize(options)

    @property
    def gates(self) -> dict[str, GateView]:
        return interleaved_views(LSTMGates._fields, self.input_weight, self.recurrent_weight, self.bias)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_weight",)

    def initialize(self, options: CellOptions, timescales: int = 1) -> None:
        """Give each group the first values of an LSTM of its size."""
        initialize, first = self.initialization(options), 0
        for count in self.units:
            parameters = self.input_weight, self.recurrent_weight, self.bias
            gates = interleaved_views(LSTMGates._fields, *parameters, units=(first, first + count))
            initialize(gates, count, self.keep_gate, timescales)
            first += count

    def project(self, inputs: CellInputs) -> Projected:
        groups = len(self.units)
        parts = (inputs[..., group::groups] for group in range(groups))
        products = [functional.linear(part, weight) for part, weight in self._with_weights(parts, self.input_weight)]
        return torch.cat(products, -1) + self.bias

    def recur(self, hidden: Tensor) -> Projected:
        """The hidden state's part of all gates, `*batch gates`, unit by unit."""
        parts = iter(hidden.split(self.units, -1))
        products = [functional.linear(*both) for both in self._with_weights(parts, self.recurrent_weight)]
        return torch.cat(products, -1)

    def _with_weights(self, parts: Iterator[Tensor], weight: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs of a group's part and its rows, without the column that a smaller group has not."""
        for part, rows in zip(parts, weight.split([4 * count for count in self.units]), strict=True):
            yield part, rows[:, : part.shape[-1]]

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        sums = (precise(projected) + self.recur(state.hidden)).unflatten(-1, (self.hidden_size, 4)).unbind(-1)
        gates = self.all_held(LSTMGates.from_sums(sums, self.gate_activation, self.activation))
        return gates.state(state.cell, self.activation), gates
