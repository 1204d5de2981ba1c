"""The LSTM with one factorised matrix."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.gated import GatedCell
from seq2seq.layers.recurrent.cells.low_rank import check_rank, factors
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise


class FactorizedLSTMCell(GatedCell):
    """Long short-term memory whose one matrix for input and state is a product (Kuchaiev & Ginsburg 2017, "F-LSTM").

    All gates are of A (B x + D h) + b, else as the LSTM: `lstm_low_rank` has a matrix A for each of x and h. First
    values are the closest of that rank to those of a full matrix. Weight drop is of D. Raises UserError if the rank is
    below 1 or above the full one.

    >>> from seq2seq.layers.recurrent.cells.factorized import FactorizedLSTMCell
    >>> cell = FactorizedLSTMCell(8, 16, rank=2)
    >>> [tuple(part.shape) for part in (cell.input_weight, cell.input_factor, cell.recurrent_factor)]
    [(64, 2), (2, 8), (2, 16)]
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        rank: int = 64,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        full = min(4 * hidden_size, input_size + hidden_size)
        check_rank(rank, full, input_size=input_size, hidden_size=hidden_size)
        super().__init__(
            input_size,
            StateLayout(LSTMState, (hidden_size, hidden_size)),
            dict.fromkeys(LSTMGates._fields, hidden_size),
            options,
        )
        self.projected_size = rank
        left, right = factors(torch.cat([self.input_weight, self.recurrent_weight], 1).detach(), rank)
        of_input, of_hidden = right.split([input_size, hidden_size], 1)
        self.input_weight = nn.Parameter(left)  # A, which reads the state as well
        self.input_factor, self.recurrent_factor = nn.Parameter(of_input.clone()), nn.Parameter(of_hidden.clone())
        self.register_parameter("recurrent_weight", None)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_factor",)

    def project(self, inputs: CellInputs) -> Projected:
        return functional.linear(inputs, self.input_factor)

    def recur(self, hidden: Tensor) -> Projected:
        return functional.linear(hidden, self.recurrent_factor)

    def sums(self, projected: Projected, state: LSTMState) -> tuple[Tensor, ...]:
        joint = projected + self.recur(state.hidden)
        return precise(functional.linear(joint, self.input_weight, self.bias)).chunk(4, -1)
