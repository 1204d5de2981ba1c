"""Options of cells."""

from dataclasses import dataclass

from seq2seq.layers.recurrent.initialization import Initialization
from seq2seq.layers.recurrent.regularization import PLAIN, Regularization


@dataclass(frozen=True)
class CellOptions:
    """Options of every cell.

    Without an initialization, a gate that keeps the memory starts open (`ForgetBias`); of a cell that has none,
    matrices alone are filled.
    """

    activation: str = "tanh"
    initialization: Initialization | None = None
    regularization: Regularization = PLAIN


@dataclass(frozen=True)
class GatedCellOptions(CellOptions):
    """Options of every cell that has gates."""

    gate_activation: str = "sigmoid"


@dataclass(frozen=True)
class LinearCellOptions(CellOptions):
    """Options of every cell whose new content is linear unless told otherwise."""

    activation: str = "identity"


DEFAULTS = CellOptions()
GATED_DEFAULTS = GatedCellOptions()
LINEAR_DEFAULTS = LinearCellOptions()
