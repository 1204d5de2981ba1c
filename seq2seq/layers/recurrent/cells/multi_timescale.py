"""The LSTM with memories of several speeds."""

from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.gated import GatedCell
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout


class MultiTimescaleLSTMCell(GatedCell):
    """LSTM with several memories, each with forget and input gates of its own; they share candidate and output gate.

    c_k' = f_k c_k + i_k g,  h' = o tanh(sum of c_k'); the memories lie side by side. With `Chrono` each starts with
    its own share of the time constants (Tallec & Ollivier 2018). One timescale is the LSTM. Raises UserError below one.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.multi_timescale import MultiTimescaleLSTMCell
    >>> from seq2seq.layers.recurrent.cells.options import GatedCellOptions
    >>> from seq2seq.layers.recurrent.initialization import Chrono
    >>> cell = MultiTimescaleLSTMCell(3, 4, options=GatedCellOptions(initialization=Chrono(longest=100)))
    >>> [tuple(part.shape) for part in cell.start(torch.randn(2, 3))]
    [(2, 4), (2, 12)]
    >>> (cell.gates["forget"].bias.view(3, 4).mean(1).diff() > 0).tolist()  # each memory is slower than the one before
    [True, True]
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        timescales: int = 3,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        if timescales < 1:
            raise UserError(f"timescales must be at least 1, but is {timescales}.")
        cells = timescales * hidden_size
        super().__init__(
            input_size,
            StateLayout(LSTMState, (hidden_size, cells)),
            {"input": cells, "forget": cells, "candidate": hidden_size, "output": hidden_size},
            options,
            timescales=timescales,
        )
        self.timescales = timescales

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        gates = self.all_held(LSTMGates.from_sums(self.sums(projected, state), self.gate_activation, self.activation))
        news = self._by_timescale(gates.input) * gates.candidate.unsqueeze(-2)
        cells = self._by_timescale(gates.forget * state.cell) + news
        return LSTMState(gates.output * self.activation(cells.sum(-2)), cells.flatten(-2)), gates

    def _by_timescale(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (self.timescales, self.hidden_size))
