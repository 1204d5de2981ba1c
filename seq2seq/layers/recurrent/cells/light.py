"""Base of the cells without a recurrent matrix."""

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.options import CellOptions
from seq2seq.layers.recurrent.gate_view import GateView, gate_views
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.shapes import Inputs, Outputs


class LightCell(Cell):
    """A cell whose gates read the input, and of the state at most the memory, unit by unit.

    So all products are of whole sequences, and what is left of a step is elementwise. The hidden state is only what a
    step puts out: no step reads it. Beside the memory there may be more that is carried to the next step. Raises
    UserError where recurrent weights, or what they read, are to be dropped, as there are none.
    """

    gate_names: ClassVar[tuple[str, ...]]  # in the order of the rows

    def __init__(self, input_size: int, hidden_size: int, options: CellOptions, *, carried: int = 0) -> None:
        for name in ("weight_drop", "recurrent_dropout"):
            if (rate := getattr(options.regularization, name)) > 0:
                raise UserError(
                    f"regularization must leave {name} at 0 for a cell without a recurrent matrix, but has {rate}: "
                    "use zoneout_cell."
                )
        layout = StateLayout(LSTMState, (hidden_size, hidden_size + carried), reads_hidden=False, carried=carried)
        rows = len(self.gate_names) * hidden_size
        super().__init__(input_size, rows, layout, options)
        self.projection = nn.Linear(input_size, rows)
        self.initialize(options)

    @property
    def gates(self) -> dict[str, GateView]:
        weight, bias = self.projection.parameters()
        return gate_views(dict.fromkeys(self.gate_names, self.hidden_size), weight, None, bias)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ()

    def project(self, inputs: CellInputs) -> Projected:
        return self.projection(inputs)

    @abstractmethod
    def run(self, inputs: Inputs, memory: Tensor) -> tuple[Outputs, Tensor]:
        """Outputs of all steps and the memory after the last, by a loop of its own; time is the first axis of both."""

    def unroll(self, inputs: Inputs, state: Any) -> tuple[Outputs, Any]:
        if not self.fused or self.regularization.zoneout:
            return super().unroll(inputs, state)
        outputs, memory = self.run(inputs.transpose(0, 1), state.cell)
        outputs = outputs.to(state.hidden.dtype)
        return outputs.transpose(0, 1), LSTMState(outputs[-1], memory)
