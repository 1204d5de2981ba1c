"""Laws of models built without first values."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.models.blank import blank


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_no_random_number_is_drawn(device):
    before = torch.get_rng_state()
    with blank(device):
        built = nn.ModuleList([nn.Embedding(5, 3), nn.Linear(3, 4), LSTMCell(3, 4), LowRankLSTMCell(3, 4, rank=2)])
        torch.randn(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert {weight.device.type for weight in built.parameters()} == {device}


def test_weights_are_zero_until_they_are_loaded_and_biases_are_as_ever():
    with blank():
        cell: Cell = LSTMCell(3, 4)
    found, wanted = cell.state_dict(), LSTMCell(3, 4).state_dict()
    assert not found["kernel.weight_hh_l0"].any()
    assert torch.equal(found["kernel.bias_ih_l0"], wanted["kernel.bias_ih_l0"])
    cell.load_state_dict(wanted)
    assert all(torch.equal(value, wanted[name]) for name, value in cell.state_dict().items())


def test_behind_it_modules_draw_again():
    with blank():
        pass
    assert nn.Linear(3, 4).weight.any()


def test_a_model_without_memory_does_not_load_the_compiler():
    """Which takes a second, and which torch asks to draw the random numbers of what has no memory."""
    program = (
        "import sys; from torch import nn; from seq2seq.models.blank import blank\n"
        "with blank('meta'): nn.Embedding(4, 4); nn.LSTM(2, 2); nn.Linear(2, 2)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
