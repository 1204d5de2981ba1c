"""LSTMs of lower rank with their matrices multiplied out, for torch's kernel to run over whole sources."""

from typing import Any

import torch
from torch import nn

from seq2seq.compression.prepared_gates import input_matrix
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.models.blank import blank


def full_rank(cell: LowRankLSTMCell) -> LSTMCell:
    """The LSTM that gives what a plain cell of low rank does, up to rounding.

    >>> import torch
    >>> from seq2seq.compression.full_rank import full_rank
    >>> from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
    >>> cell, inputs = LowRankLSTMCell(3, 4, rank=2), torch.randn(2, 5, 3)
    >>> torch.allclose(*(own.unroll(inputs, own.start(inputs))[0] for own in (cell, full_rank(cell))), atol=1e-5)
    True
    """
    with blank("cpu"):
        whole = LSTMCell(cell.input_size, cell.hidden_size)
    kernel: Any = whole.kernel
    with torch.no_grad():
        kernel.weight_ih_l0.copy_(input_matrix(cell))
        kernel.weight_hh_l0.copy_(cell.recurrent_weight @ cell.recurrent_factor)
        kernel.bias_ih_l0.copy_(cell.bias)
        kernel.bias_hh_l0.zero_()
    return whole.train(cell.training)


def multiply_out(parent: nn.Module) -> None:
    """Put full LSTMs in the place of all plain cells of low rank below."""
    for name, child in parent.named_children():
        if type(child) is LowRankLSTMCell and child.plain:
            setattr(parent, name, full_rank(child))
        else:
            multiply_out(child)
