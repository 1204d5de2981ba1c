"""The LSTM whose input and state first gate each other."""

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.linear import linear
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.gated import GatedCell
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise


class MogrifierLSTMCell(GatedCell):
    """Mogrifier LSTM (Melis et al. 2020): for some rounds input and hidden state scale each other in turn.

    x <- 2 sigmoid(Q h) x in the odd rounds, h <- 2 sigmoid(R x) h in the even ones, then a step of the LSTM. The input
    depends on the state, so nothing of it can be projected beforehand. No rounds are the LSTM. Raises UserError below
    zero.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.mogrifier import MogrifierLSTMCell
    >>> cell, inputs = MogrifierLSTMCell(3, 4, rounds=3), torch.randn(2, 5, 3)
    >>> cell.project(inputs) is inputs
    True
    >>> [tuple(scale.weight.shape) for scale in cell.mutual]  # Q, R, Q
    [(3, 4), (4, 3), (3, 4)]
    >>> cell.unroll(inputs, cell.start(inputs))[0].shape
    torch.Size([2, 5, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        rounds: int = 5,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        if rounds < 0:
            raise UserError(f"rounds must be at least 0, but is {rounds}.")
        super().__init__(
            input_size,
            StateLayout(LSTMState, (hidden_size, hidden_size)),
            dict.fromkeys(LSTMGates._fields, hidden_size),
            options,
        )
        self.projected_size = input_size
        self.mutual = nn.ModuleList(
            linear(input_size, hidden_size, bias=False) if number % 2 else linear(hidden_size, input_size, bias=False)
            for number in range(rounds)
        )

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        """Names of the weights of the gates, and of the rounds in which the hidden state scales the input."""
        return (*super().recurrent_weights, *(f"mutual.{number}.weight" for number in range(0, len(self.mutual), 2)))

    def project(self, inputs: CellInputs) -> Float[Tensor, "*batch input"]:
        return inputs

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        inputs, hidden = projected, state.hidden
        for number, scale in enumerate(self.mutual):
            if number % 2:
                hidden = (2 * precise(scale(inputs)).sigmoid() * hidden).to(hidden.dtype)
            else:
                inputs = (2 * precise(scale(hidden)).sigmoid() * inputs).to(inputs.dtype)
        return super().advance(super().project(inputs), LSTMState(hidden, state.cell))
