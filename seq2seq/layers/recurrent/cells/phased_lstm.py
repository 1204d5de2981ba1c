"""The LSTM whose units open by a clock of their own."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.gap_cell import GapCell
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise


class PhasedLSTMGates(NamedTuple):
    """Activations of one step: those of an LSTM, and how far the clock of each unit lets it change."""

    input: Tensor
    forget: Tensor
    candidate: Tensor
    output: Tensor
    time: Tensor


class PhasedLSTMCell(GapCell):
    """Long short-term memory with a time gate (Neil et al. 2016), without its peepholes.

    c' = k c~ + (1 - k) c,  h' = k h~ + (1 - k) h, where c~ and h~ are the LSTM's. In a unit's phase p, the place of the
    time since the first step in its period, k rises from 0 to 1 and falls back to 0 while p is below its open share r:
    2 p / r, 2 - 2 p / r; then it is closed, but for a `leak` p in training. Period, shift and r are learnt. At first
    periods lie between the shortest and the longest, in the input's `time_unit`, evenly by their logarithm. Clocks are
    part of the state, so that streams may be of any length. Raises UserError at numbers out of range and without gaps.

    A closed unit stays as it was:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.phased_lstm import PhasedLSTMCell
    >>> cell = PhasedLSTMCell(5, 4, gap_size=2, shortest_period=8.0, longest_period=8.0).eval()
    >>> _ = torch.nn.init.zeros_(cell.shift)
    >>> state = cell.start(torch.zeros(1, 5))
    >>> for gap in (0.0, 0.2, 4.0):  # an open share of 0.05 is 0.4 units
    ...     state, gates = cell(cell.project(torch.tensor([[1.0, 2.0, 3.0, gap, gap]])), state)
    ...     print(f"{gates.time[0, 0].item():.2f}")
    0.00
    1.00
    0.00
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gap_size: int = 0,
        shortest_period: float = 1.0,
        longest_period: float = 100.0,
        open_share: float = 0.05,
        leak: float = 0.001,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        check_finite(longest_period=longest_period)
        _check(shortest_period, longest_period, open_share, leak)
        if (rate := options.regularization.zoneout_cell) > 0:
            raise UserError(
                f"regularization must leave zoneout_cell at 0 for a cell whose state has clocks, but has {rate}: use "
                "zoneout_hidden."
            )
        layout = StateLayout(LSTMState, (hidden_size, 2 * hidden_size), carried=hidden_size, starts_empty=True)
        sizes = dict.fromkeys(LSTMGates._fields, hidden_size)
        super().__init__(input_size, layout, sizes, options, gap_size=gap_size, width=hidden_size)
        self.leak = leak
        ends = math.log(shortest_period), math.log(longest_period)
        self.log_period = nn.Parameter(nn.init.uniform_(torch.empty(hidden_size), *ends))
        self.shift = nn.Parameter(nn.init.uniform_(torch.empty(hidden_size)))  # in periods
        self.open_logit = nn.Parameter(torch.full((hidden_size,), math.log(open_share / (1 - open_share))))

    def read_gaps(self, gaps: CellInputs) -> Projected:
        return precise(gaps[..., :1]) * precise(self.log_period).neg().exp()

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, PhasedLSTMGates]:
        return self._advance(projected, state, state.hidden)

    def advance_masked(self, projected: Projected, state: LSTMState, mask: Tensor) -> tuple[LSTMState, PhasedLSTMGates]:
        return self._advance(projected, state, state.hidden * mask)

    def _advance(self, projected: Projected, state: LSTMState, read: Tensor) -> tuple[LSTMState, PhasedLSTMGates]:
        of_input, turns = self.parted(projected)
        memory, clock = state.cell.chunk(2, -1)
        clock = (clock + precise(turns)).remainder(1)
        sums = self.sums(of_input, LSTMState(read, memory))
        gates = self.all_held(LSTMGates.from_sums(sums, self.gate_activation, self.activation))
        open, proposed = self.held("time", self._open(clock)), gates.state(memory, self.activation)
        hidden, memory = (
            open * new + (1 - open) * old for new, old in zip(proposed, (state.hidden, memory), strict=True)
        )
        return LSTMState(hidden, torch.cat([memory, clock], -1)), PhasedLSTMGates(*gates, open)

    def _open(self, clock: Tensor) -> Tensor:
        phase = (clock - precise(self.shift)).remainder(1)
        place = 2 * phase / precise(self.open_logit).sigmoid()
        closed = self.leak * phase if self.training else torch.zeros_like(phase)
        return torch.where(place < 1, place, torch.where(place < 2, 2 - place, closed))


def _check(shortest: float, longest: float, open_share: float, leak: float) -> None:
    if not 0 < shortest <= longest:
        raise UserError(
            f"shortest_period must be above 0 and not above longest_period, which is {longest}, but is {shortest}."
        )
    if not 0 < open_share < 1:
        raise UserError(f"open_share must be above 0 and below 1, but is {open_share}.")
    if not 0 <= leak < 1:
        raise UserError(f"leak must be at least 0 and below 1, but is {leak}.")
