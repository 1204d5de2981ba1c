from collections.abc import Callable

import pytest
import signatures  # noqa: F401  before anything of ours is imported
import torch
from torch import nn

from seq2seq.layers.recurrent.cells.cell import Cell


@pytest.fixture
def rough() -> Callable[[Cell], Cell]:
    """The cell with parameters that all differ, so that a gate in the wrong place shows."""

    def _rough(cell: Cell) -> Cell:
        for weight in cell.parameters():
            nn.init.normal_(weight, std=0.5)
        return cell

    return _rough


@pytest.fixture
def gradients() -> Callable[..., tuple[torch.Tensor, ...]]:
    """Of a loss that weighs every output differently; zero of what it does not depend on."""

    def _gradients(outputs: torch.Tensor, of: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        weights = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
        return torch.autograd.grad((outputs * weights).sum(), of, materialize_grads=True)

    return _gradients


@pytest.fixture
def random_state() -> Callable[..., tuple[torch.Tensor, ...]]:
    """A state that fits a cell: random_state(cell, batch)."""

    def _random_state(cell: Cell, batch: int, dtype: torch.dtype = torch.float32):
        like = cell.start(torch.zeros(batch, 1, dtype=dtype))
        return type(like)(*(torch.randn_like(part, requires_grad=True) for part in like))

    return _random_state
