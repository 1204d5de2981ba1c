"""The LSTM with factorised matrices."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.gated import GatedCell
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout


class LowRankLSTMCell(GatedCell):
    """Long short-term memory whose input and recurrent matrices are products of two of lower rank (Lu et al. 2016).

    W = A B, U = C D, where all gates share B and D; else as the LSTM. First values are the closest of that rank to
    those of full matrices; a matrix whose full rank is lower has that. Weight drop is of C, which has a row for each
    unit of a gate. Raises UserError if the rank is below 1 or above that of both.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
    >>> cell = LowRankLSTMCell(8, 16, rank=2)
    >>> (cell.recurrent_weight @ cell.recurrent_factor).shape  # of all gates, from hidden states
    torch.Size([64, 16])
    >>> cell.recurrent_weight.numel() + cell.recurrent_factor.numel()  # and not 64 times 16
    160
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        rank: int = 64,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        full = max(min(4 * hidden_size, input_size), hidden_size)
        check_rank(rank, full, input_size=input_size, hidden_size=hidden_size)
        super().__init__(
            input_size,
            StateLayout(LSTMState, (hidden_size, hidden_size)),
            dict.fromkeys(LSTMGates._fields, hidden_size),
            options,
        )
        self.input_weight, self.input_factor = _parameters(self.input_weight, rank)
        self.recurrent_weight, self.recurrent_factor = _parameters(self.recurrent_weight, rank)

    @property
    def plain(self) -> bool:
        """Tell whether a step out of training is that of torch's LSTM with the matrices multiplied out."""
        return self.gate_activation is torch.sigmoid and self.bounded and not self.regularization.zoneout

    def project(self, inputs: CellInputs) -> Projected:
        return super().project(functional.linear(inputs, self.input_factor))

    def recur(self, hidden: Tensor) -> Projected:
        return super().recur(functional.linear(hidden, self.recurrent_factor))


def check_rank(rank: int, full: int, *, input_size: int, hidden_size: int) -> None:
    """Raise UserError at a rank that is none of a matrix of full rank `full`."""
    if not 1 <= rank <= full:
        raise UserError(
            f"rank must be between 1 and {full}, full rank of a cell of {hidden_size} units that reads "
            f"{input_size}, but is {rank}: use a lower rank, or the LSTM itself."
        )


def factors(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Two matrices of a rank, or of its own if that is lower, whose product is closest to the weight."""
    columns = weight.shape[1]
    # Of directions that count alike, as all do of an orthogonal matrix, any will do. Turned at random, as those that
    # LAPACK chooses can leave out a column, which then nothing reads.
    turn = nn.init.orthogonal_(weight.new_empty(columns, columns))
    left, values, right = torch.linalg.svd(weight @ turn, full_matrices=False)
    rank = min(rank, len(values))
    roots = values[:rank].sqrt()
    return left[:, :rank] * roots, roots.unsqueeze(1) * right[:rank] @ turn.T


def _parameters(weight: nn.Parameter, rank: int) -> tuple[nn.Parameter, nn.Parameter]:
    left, right = factors(weight.detach(), rank)
    return nn.Parameter(left), nn.Parameter(right)
