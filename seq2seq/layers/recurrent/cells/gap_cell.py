"""Base of the cells that read the gaps between steps."""

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import CellInputs, Projected
from seq2seq.layers.recurrent.cells.gated import GatedCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.gaps import beside, parted
from seq2seq.layers.recurrent.state import StateLayout


class GapCell(GatedCell):
    """A gated cell whose inputs end in `gap_size` gaps: since the step before, and since each feature had a value.

    What `read_gaps` makes of these is computed for all steps at once and stands behind the projected input.
    Raises UserError where there are no gaps.
    """

    def __init__(
        self,
        input_size: int,
        layout: StateLayout,
        gate_sizes: Mapping[str, int],
        options: GatedCellOptions,
        *,
        gap_size: int,
        width: int,
    ) -> None:
        if gap_size < 2:
            raise UserError(
                f"gap_size must be at least 2, the gap before each step and that of a feature, but is {gap_size}: "
                "choose the cell as gap_cell of an encoder whose input has a time_unit."
            )
        super().__init__(input_size - gap_size, layout, gate_sizes, options)
        self.input_size, self.gap_size, self.width = input_size, gap_size, width
        self.projected_size += width

    @abstractmethod
    def read_gaps(self, gaps: CellInputs) -> Projected:
        """Numbers that say what gaps are to their steps, `*batch width`."""

    def project(self, inputs: CellInputs) -> Projected:
        vectors, gaps = parted(inputs, self.gap_size)
        return beside(super().project(vectors), self.read_gaps(gaps))

    def parted(self, projected: Projected) -> tuple[Tensor, Tensor]:
        """The input's part of the gates, and what was read of the gaps."""
        return parted(projected, self.width)
