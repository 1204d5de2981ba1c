"""The LSTM whose memory is wider than what it hands on."""

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.linear import linear
from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.gated import GatedCell
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout


class ProjectedLSTMCell(GatedCell):
    """Long short-term memory with a recurrent projection (Sak et al. 2014).

    h' = P (o tanh(c')), with `expansion` cells for each hidden unit; else as the LSTM. Raises UserError if that makes
    none.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.projected import ProjectedLSTMCell
    >>> cell, inputs = ProjectedLSTMCell(3, 4, expansion=2.5), torch.randn(2, 5, 3)
    >>> outputs, last = cell.unroll(inputs, cell.start(inputs))
    >>> outputs.shape, last.cell.shape
    (torch.Size([2, 5, 4]), torch.Size([2, 10]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        expansion: float = 2.0,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        check_finite(expansion=expansion)
        cell_size = round(expansion * hidden_size)
        if cell_size < 1:
            raise UserError(f"expansion must make at least one cell of {hidden_size} hidden units, but is {expansion}.")
        super().__init__(
            input_size,
            StateLayout(LSTMState, (hidden_size, cell_size)),
            dict.fromkeys(LSTMGates._fields, cell_size),
            options,
        )
        self.projection = linear(cell_size, hidden_size, bias=False)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        wide, gates = super().advance(projected, state)
        return LSTMState(self.projection(wide.hidden.to(state.hidden.dtype)), wide.cell), gates
