import math

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.elman import ElmanCell
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.multi_timescale import MultiTimescaleLSTMCell
from seq2seq.layers.recurrent.cells.options import CellOptions, GatedCellOptions
from seq2seq.layers.recurrent.cells.projected import ProjectedLSTMCell
from seq2seq.layers.recurrent.initialization import Chrono, ForgetBias, Initialization

SIZE = 64


def test_the_gate_that_keeps_the_memory_starts_open_and_no_other_has_a_bias(cell_kind):
    cell = cell_kind(3, 5)
    for name, gate in cell.gates.items():
        expected = 1.0 if name == cell.keep_gate else 0.0
        assert gate.bias.eq(expected).all(), name


def test_the_forget_bias_is_the_one_given():
    cell = LSTMCell(3, 5, options=GatedCellOptions(initialization=ForgetBias(forget_bias=-2.0)))
    assert cell.gates["forget"].bias.eq(-2).all()
    biases = cell.project(torch.zeros(1, 3)) + cell.recur(torch.zeros(1, 5))
    assert torch.equal(biases.unique(), torch.tensor([-2.0, 0.0]))
    assert (
        GRUCell(3, 5, options=GatedCellOptions(initialization=ForgetBias(forget_bias=3.0)))
        .gates["update"]
        .bias.eq(3)
        .all()
    )


def test_every_recurrent_gate_is_orthogonal_and_none_like_another():
    gates = torch.stack([gate.recurrent for gate in LSTMCell(3, 8).gates.values()])
    # Rows of an orthogonal matrix from a QR in float32: products are right to a few 1e-7.
    torch.testing.assert_close(gates @ gates.mT, torch.eye(8).expand(4, 8, 8), atol=1e-5, rtol=0)
    assert len(gates.unique(dim=0)) == 4


@pytest.mark.parametrize(
    ("name", "bound"), [("xavier", (6 / (32 + SIZE)) ** 0.5), ("uniform", SIZE**-0.5), ("orthogonal", None)]
)
def test_input_matrices_are_as_named_gate_by_gate(name, bound):
    cell = LSTMCell(32, SIZE, options=GatedCellOptions(initialization=Initialization(input=name)))
    for gate in cell.gates.values():
        if bound is None:
            torch.testing.assert_close(gate.input.T @ gate.input, torch.eye(32), atol=1e-5, rtol=0)
        else:  # of 2048 uniform draws, one is within 2 % of the bound all but surely
            assert 0.98 * bound < gate.input.abs().max() <= bound


@pytest.mark.parametrize("name", ["xavier", "uniform"])
def test_recurrent_matrices_are_as_named(name):
    bound = {"xavier": (6 / (2 * SIZE)) ** 0.5, "uniform": SIZE**-0.5}[name]
    for gate in LSTMCell(
        32, SIZE, options=GatedCellOptions(initialization=Initialization(recurrent=name))
    ).gates.values():
        assert 0.98 * bound < gate.recurrent.abs().max() <= bound


def test_chrono_spreads_time_constants_up_to_the_longest():
    gates = LSTMCell(3, 2000, options=GatedCellOptions(initialization=Chrono(longest=100))).gates
    times = gates["forget"].bias.exp()  # uniform in [1, 99]
    assert 1 <= times.min() < 2
    assert 98 < times.max() <= 99
    assert abs(times.mean() - 50) < 3
    torch.testing.assert_close(gates["input"].bias, -gates["forget"].bias)
    assert not gates["output"].bias.any()


def test_chrono_gives_every_timescale_its_share():
    cell = MultiTimescaleLSTMCell(3, 500, timescales=3, options=GatedCellOptions(initialization=Chrono(longest=1001)))
    for number, biases in enumerate(cell.gates["forget"].bias.chunk(3)):
        assert 10**number - 0.01 <= biases.exp().min()
        assert biases.exp().max() <= 10 ** (number + 1) + 0.01
        assert biases.exp().max() > 9 * 10**number


def test_chrono_does_not_take_a_wide_memory_for_several():
    times = (
        ProjectedLSTMCell(3, 500, expansion=2.0, options=GatedCellOptions(initialization=Chrono(longest=101)))
        .gates["forget"]
        .bias.exp()
    )
    for half in times.chunk(2):
        assert half.min() < 5
        assert half.max() > 95


def test_chrono_of_a_gru_is_of_its_update_gate():
    biases = GRUCell(3, 500, options=GatedCellOptions(initialization=Chrono(longest=11))).gates["update"].bias
    assert biases.min() >= 0
    assert biases.max() <= math.log(10) + 1e-6
    assert biases.std() > 0.1


MISTAKES = [
    (
        lambda: Initialization(input="he"),
        "input must be one of xavier, orthogonal, uniform, but is 'he'.",
    ),
    (
        lambda: ForgetBias(recurrent="identity"),
        "recurrent must be one of xavier, orthogonal, uniform, but is 'identity'.",
    ),
    (lambda: Chrono(longest=1), "longest must be at least 2 steps, but is 1."),
    (
        lambda: ElmanCell(3, 4, options=CellOptions(initialization=ForgetBias())),
        "initialization must be matrices for a cell without a gate that keeps its memory: "
        "there is no forget bias to set.",
    ),
]


@pytest.mark.parametrize(("build", "message"), MISTAKES, ids=[message[:40] for _, message in MISTAKES])
def test_mistakes_are_told(build, message):
    with pytest.raises(UserError) as error:
        build()
    assert str(error.value) == message
