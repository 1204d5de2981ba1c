"""The gated recurrent unit whose state decays with the time since values were seen."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.gap_cell import GapCell
from seq2seq.layers.recurrent.cells.gru import GRUGates
from seq2seq.layers.recurrent.cells.options import GATED_DEFAULTS, GatedCellOptions
from seq2seq.layers.recurrent.gaps import parted
from seq2seq.layers.recurrent.state import HiddenState, StateLayout
from seq2seq.precise import precise


class GRUDGates(NamedTuple):
    """Activations of one step: those of a GRU, and the share of the state that gaps have left."""

    reset: Tensor
    update: Tensor
    candidate: Tensor
    decay: Tensor


class GRUDCell(GapCell):
    """Gated recurrent unit whose state decays over gaps (GRU-D, Che et al. 2018), the reset gate before the product.

    h* = exp(-max(0, V d + e)) h,  h' = z h* + (1 - z) g, where r, z = sigmoid of W x + U h* + b and
    g = tanh(W x + U (r h*) + b). Gap d_j is the time since feature j last had a value. The update gate z keeps, as
    torch has it and not the paper. The decay of inputs is that of `imputation=decay`, and with `mask=true` x holds the
    paper's V m. Raises UserError without gaps.

    Of what was long ago, nothing is left:

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.gru_d import GRUDCell
    >>> from seq2seq.layers.recurrent.state import HiddenState
    >>> cell, state = GRUDCell(5, 4, gap_size=2), HiddenState(torch.ones(1, 4))
    >>> _ = torch.nn.init.constant_(cell.decay_weight, 0.1)
    >>> for gap in (0.0, 10.0, 1e6):
    ...     _, gates = cell(cell.project(torch.tensor([[1.0, 2.0, 3.0, gap, gap]])), state)
    ...     print(f"{gates.decay[0, 0].item():.2f}")
    1.00
    0.37
    0.00
    """

    keep_gate = "update"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gap_size: int = 0,
        options: GatedCellOptions = GATED_DEFAULTS,
    ) -> None:
        layout, sizes = StateLayout(HiddenState, (hidden_size,)), dict.fromkeys(GRUGates._fields, hidden_size)
        super().__init__(input_size, layout, sizes, options, gap_size=gap_size, width=hidden_size)
        features = gap_size - 1
        # above 0 at first, as below it there is no gradient; a unit fades to 1/e in 20 units of all gaps, on average
        self.decay_weight = nn.Parameter(nn.init.uniform_(torch.empty(hidden_size, features), 0.0, 0.1 / features))
        self.decay_bias = nn.Parameter(torch.zeros(hidden_size))

    def read_gaps(self, gaps: CellInputs) -> Projected:
        since = gaps[..., 1:].to(self.decay_weight.dtype)
        return precise(functional.linear(since, self.decay_weight, self.decay_bias)).relu().neg().exp()

    def advance(self, projected: Projected, state: Any) -> tuple[Any, GRUDGates]:
        return self._advance(projected, state, 1.0)

    def advance_masked(self, projected: Projected, state: Any, mask: Tensor) -> tuple[Any, GRUDGates]:
        return self._advance(projected, state, mask)

    def _advance(self, projected: Projected, state: HiddenState, mask: Tensor | float) -> tuple[HiddenState, GRUDGates]:
        of_input, decay = (precise(part) for part in self.parted(projected))
        decay = self.held("decay", decay)
        hidden, size = decay * state.hidden, self.hidden_size
        read = (hidden * mask).to(state.hidden.dtype)
        two, one = parted(of_input, size)
        reset, update = self.gate_activation(two + functional.linear(read, self.recurrent_weight[: 2 * size])).chunk(
            2, -1
        )
        reset, update = self.held("reset", reset), self.held("update", update)
        kept = (reset * read).to(state.hidden.dtype)
        new = self.activation(one + functional.linear(kept, self.recurrent_weight[2 * size :]))
        candidate = self.held("candidate", new)
        after = update * hidden + (1 - update) * candidate
        return HiddenState(after), GRUDGates(reset, update, candidate, decay)
