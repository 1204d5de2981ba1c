"""The library of float32 products: the one that is asked for, or for each product the faster one here."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from seq2seq.compression.prepared import LIBRARIES, OneDNNLinear, PreparedLinear, is_small, prepare
from seq2seq.errors import UserError
from seq2seq.machine import speedup

logger = logging.getLogger(__name__)
AUTO = "auto"
_WORTH = 1.05  # times as fast, below which a product stays with oneDNN
_MOST = 10**8  # multiply-accumulates of a product that is timed


@dataclass(frozen=True)
class Products:
    """The choices that a packed model's products are made by: number format, library, and the rows that most have.

    The rows are of all hypotheses, of which there are so many of a sentence.
    """

    precision: str = "float32"
    library: str = LIBRARIES[0]
    rows: int = 256
    hypotheses: int = 1

    def prepare(
        self, weight: Tensor, bias: Tensor | None, *, activation: str = "none", scores: bool = False
    ) -> PreparedLinear:
        """The product with such weights, by the library that is asked for or the faster one."""
        library = self.library
        if library == AUTO:
            measurable = self.precision == "float32" and not is_small(weight) and OneDNNLinear.available()
            library = faster_library(*weight.shape, rows=self.rows) if measurable else LIBRARIES[0]
        return prepare(weight, bias, self.precision, activation=activation, library=library, scores=scores)


def check_library(library: object, precision: str) -> str:
    """Return the library. Raises UserError at another one, and where it has no products of a precision."""
    names = (AUTO, *LIBRARIES)
    if not isinstance(library, str) or library not in names:
        raise UserError(f"product_library must be one of {', '.join(names)}, but is {library!r}.")
    if library == "onednn" and not OneDNNLinear.available():
        raise UserError("product_library=onednn needs a torch with oneDNN's products, and this has none: use auto.")
    if library == "blas" and precision != "float32":
        raise UserError(f"product_library must be auto or onednn with precision={precision}, but is blas.")
    return library


def faster_library(outputs: int, inputs: int, *, rows: int) -> str:
    """The name of the library that multiplies so many rows sooner, which is measured once a machine and said."""
    rows = max(1, min(2 ** max(rows - 1, 0).bit_length(), _MOST // (inputs * outputs)))  # few questions: each is kept
    ways = {name: _product(name, rows, inputs, outputs) for name in LIBRARIES}
    times = speedup(f"a product of {rows} rows, {inputs} to {outputs}", ways)
    if times <= _WORTH:
        return LIBRARIES[0]
    logger.info("product_library: blas for %d to %d, %.1f times as fast as onednn here", inputs, outputs, times)
    return LIBRARIES[1]


@torch.inference_mode()
def _product(library: str, rows: int, inputs: int, outputs: int) -> Callable[[], None]:
    weight = torch.linspace(-1, 1, outputs * inputs).unflatten(0, (outputs, inputs))
    product = prepare(weight, weight[:, 0].contiguous(), "float32", library=library)
    return partial(_run, product, torch.linspace(-1, 1, rows * inputs).unflatten(0, (rows, inputs)))


@torch.inference_mode()
def _run(product: PreparedLinear, inputs: Tensor) -> None:
    product(inputs)
