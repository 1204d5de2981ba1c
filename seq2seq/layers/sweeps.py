"""Recurrent layers that sweep over the rows and columns of a picture."""

from collections.abc import Callable

import torch
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.front_end import FrontEnd, Shortened
from seq2seq.layers.recurrent.bidirectional import BidirectionalLayer
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.masking import shortened, without_padding
from seq2seq.shapes import Lengths, TimeVectors


class SweepingFrontEnd(FrontEnd):
    """Sweeps down and up over each column of patches, then along each row both ways (Visin et al. 2015, "ReNet").

    A vector is a column of a picture, from the top; a patch is `patch_height` of its values in each of `patch_width`
    vectors, beyond whose last there is 0. All columns share their weights, and all rows. The result is the features of
    a column of patches, one patch below the other. Raises UserError at sizes below 1, and at columns that are not whole
    patches.

    >>> import torch
    >>> from seq2seq.layers.sweeps import SweepingFrontEnd
    >>> front_end = SweepingFrontEnd(32, patch_height=8, patch_width=2, hidden_size=5)
    >>> found, lengths = front_end(torch.randn(3, 7, 32), torch.tensor([7, 4, 1]))
    >>> found.shape, lengths.tolist()  # four patches of 2 x 5 features each
    (torch.Size([3, 4, 40]), [4, 2, 1])
    """

    def __init__(
        self,
        input_size: int,
        *,
        patch_height: int = 8,
        patch_width: int = 4,
        hidden_size: int = 32,
        cell: Callable[[int, int], Cell] = LSTMCell,
    ) -> None:
        super().__init__()
        _check(input_size, patch_height, patch_width, hidden_size)
        self.stride, self.patch_height, self.rows = patch_width, patch_height, input_size // patch_height
        self.output_size = 2 * hidden_size * self.rows
        self.down = BidirectionalLayer(patch_height * patch_width, hidden_size, cell=cell)
        self.along = BidirectionalLayer(2 * hidden_size, hidden_size, cell=cell)
        for swept in (*self.down.directions.values(), *self.along.directions.values()):
            swept.reuse *= self.rows

    def forward(self, vectors: TimeVectors, lengths: Lengths) -> tuple[Shortened, Lengths]:
        vectors = without_padding(vectors, lengths)
        vectors = functional.pad(vectors, (0, 0, 0, -vectors.shape[1] % self.stride))
        patches = vectors.unflatten(2, (self.rows, self.patch_height)).unflatten(1, (-1, self.stride))
        columns = patches.transpose(2, 3).flatten(3)  # (batch, fewer, rows, patch)
        heights = torch.full((columns.shape[0] * columns.shape[1],), self.rows, device=lengths.device)
        swept, _ = self.down(columns.flatten(0, 1), heights)
        lines = swept.unflatten(0, columns.shape[:2]).transpose(1, 2)  # (batch, rows, fewer, features)
        fewer = shortened(lengths, self.stride)
        swept, _ = self.along(lines.flatten(0, 1), fewer.repeat_interleave(self.rows))
        return swept.unflatten(0, lines.shape[:2]).transpose(1, 2).flatten(2), fewer


def _check(input_size: int, patch_height: int, patch_width: int, hidden_size: int) -> None:
    for name, value in (("patch_height", patch_height), ("patch_width", patch_width), ("hidden_size", hidden_size)):
        if value < 1:
            raise UserError(f"{name} must be at least 1, but is {value}.")
    if input_size % patch_height:
        raise UserError(
            f"patch_height must divide the height of a column, {input_size}, but is {patch_height}: "
            "choose another, or scale the pictures."
        )
