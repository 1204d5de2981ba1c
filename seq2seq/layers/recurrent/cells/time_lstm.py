"""The LSTM whose memory fades with the time between steps."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.gap_cell import GapCell
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise

# How far time has gone, from 0: a gap D leaves 1 / (1 + u) of the short-term memory.
_CLOCKS: dict[str, Callable[[Tensor], Tensor]] = {
    "logarithmic": lambda gap: (gap / math.e).log1p(),  # 1 / (1 + log(1 + D / e)) = 1 / log(e + D), exactly 1 at 0
    "hyperbolic": lambda gap: gap,
}


class TimeLSTMGates(NamedTuple):
    """Activations of one step: those of an LSTM, and the share of the short-term memory that the gap has left."""

    input: Tensor
    forget: Tensor
    candidate: Tensor
    output: Tensor
    discount: Tensor


class TimeLSTMCell(GapCell):
    """Long short-term memory whose short-term part fades with time (T-LSTM, Baytas et al. 2017).

    s = tanh(V c + d),  c* = c - (1 - g(D)) s, then the LSTM's equations with c* in the place of c. g(D) of the gap D is
    1 / log(e + D) where fading is `logarithmic`, for long gaps, or 1 / (1 + D), `hyperbolic`, for short ones. D is in
    the input's `time_unit`: days and seconds are other models. Raises UserError at another fading, and without gaps.

    The longer a gap, the less of the short-term memory is left:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.time_lstm import TimeLSTMCell
    >>> from seq2seq.layers.recurrent.state import LSTMState
    >>> cell, state = TimeLSTMCell(5, 4, gap_size=2), LSTMState(torch.zeros(1, 4), torch.ones(1, 4))
    >>> for gap in (0.0, 1.0, 1e6):
    ...     _, gates = cell(cell.project(torch.tensor([[1.0, 2.0, 3.0, gap, gap]])), state)
    ...     print(f"{gates.discount.item():.2f}")
    1.00
    0.76
    0.07
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gap_size: int = 0,
        fading: str = "logarithmic",
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        if fading not in _CLOCKS:
            raise UserError(f"fading must be one of {', '.join(_CLOCKS)}, but is {fading!r}.")
        layout = StateLayout(LSTMState, (hidden_size, hidden_size))
        sizes = dict.fromkeys(LSTMGates._fields, hidden_size)
        super().__init__(input_size, layout, sizes, options, gap_size=gap_size, width=1)
        self.fading = fading
        self.short_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(hidden_size, hidden_size)))
        self.short_bias = nn.Parameter(torch.zeros(hidden_size))

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_weight", "short_weight")

    def read_gaps(self, gaps: CellInputs) -> Projected:
        gone = _CLOCKS[self.fading](precise(gaps[..., :1]))
        return gone / (1 + gone)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, TimeLSTMGates]:
        of_input, lost = self.parted(projected)
        memory = state.cell.to(self.short_weight.dtype)
        short = precise(functional.linear(memory, self.short_weight, self.short_bias)).tanh()
        gates = self.all_held(LSTMGates.from_sums(self.sums(of_input, state), self.gate_activation, self.activation))
        stepped = gates.state(state.cell - precise(lost) * short, self.activation)
        return stepped, TimeLSTMGates(*gates, 1 - precise(lost))
