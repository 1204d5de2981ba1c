"""Cells with cheaper products, and those with a connection over time, by their equations."""

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.factorized import FactorizedLSTMCell
from seq2seq.layers.recurrent.cells.grouped import GroupedLSTMCell
from seq2seq.layers.recurrent.cells.highway import RecurrentHighwayCell
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.cells.peephole import PeepholeLSTMCell
from seq2seq.layers.recurrent.cells.residual import ResidualElmanCell
from seq2seq.layers.recurrent.initialization import Chrono
from seq2seq.models.bridge import LastOutputBridge

SIZE, BATCH, TIME = 4, 3, 5


def assert_same(cell, lstm, random_state):
    sequence, first = torch.randn(BATCH, TIME, cell.input_size), random_state(lstm, BATCH)
    torch.testing.assert_close(cell.unroll(sequence, first), lstm.unroll(sequence, first))


def test_one_factorised_matrix_is_the_lstm_of_the_product(rough, random_state):
    cell, lstm = rough(FactorizedLSTMCell(3, SIZE, rank=2)), LSTMCell(3, SIZE)
    of_input, of_hidden = (cell.input_weight @ right for right in (cell.input_factor, cell.recurrent_factor))
    with torch.no_grad():
        weights = of_input, of_hidden, cell.bias, torch.zeros(4 * SIZE)
        for theirs, ours in zip(lstm.kernel.all_weights[0], weights, strict=True):
            theirs.copy_(ours)
    assert torch.linalg.matrix_rank(torch.cat([of_input, of_hidden], 1)) == 2
    assert_same(cell, lstm, random_state)


@pytest.mark.parametrize("input_size", [3, 20])
def test_full_rank_of_one_matrix_starts_as_the_lstm_of_the_same_seed(random_state, input_size):
    torch.manual_seed(3)
    cell = FactorizedLSTMCell(input_size, SIZE, rank=min(input_size + SIZE, 16))
    torch.manual_seed(3)
    assert_same(cell, PeepholeLSTMCell(input_size, SIZE), random_state)  # drawn alike, and an LSTM at first


@pytest.mark.parametrize("kind", [LowRankLSTMCell, FactorizedLSTMCell])
def test_every_unit_of_a_first_state_is_read_whatever_the_rank(kind):
    """An orthogonal matrix has many closest ones of lower rank, and some of them leave units out."""
    cell = kind(16, 64, rank=8)
    bridge = LastOutputBridge(input_size=5, layouts=[cell.layout])
    (state,) = bridge(torch.randn(BATCH, 5))
    cell.unroll(torch.randn(BATCH, TIME, 16), state)[0].sum().backward()
    assert bridge.projection.weight.grad.abs().amax(1).gt(1e-6).all()


@pytest.mark.parametrize(("input_size", "groups", "units"), [(6, 2, [2, 2]), (5, 3, [2, 1, 1]), (3, 1, [4])])
def test_each_group_is_an_lstm_of_its_own(rough, random_state, input_size, groups, units):
    cell = rough(GroupedLSTMCell(input_size, SIZE, groups=groups))
    sequence, first = torch.randn(BATCH, TIME, input_size), random_state(cell, BATCH)
    outputs, last = cell.unroll(sequence, first)
    start = 0
    for group, count in enumerate(units):
        own, read = slice(start, start + count), sequence[..., group::groups]
        lstm = LSTMCell(read.shape[-1], count)
        for name, gate in cell.gates.items():
            lstm.gates[name].input.copy_(gate.input[own, : read.shape[-1]])
            lstm.gates[name].recurrent.copy_(gate.recurrent[own, :count])
            lstm.gates[name].set_bias(gate.bias[own])
        wanted, end = lstm.unroll(read, type(first)(*(part[:, own] for part in first)))
        torch.testing.assert_close(outputs[..., own], wanted)
        torch.testing.assert_close([part[:, own] for part in last], list(end))
        start += count


def test_each_group_starts_as_an_lstm_of_its_size():
    cell = GroupedLSTMCell(64, 64, groups=4)
    assert sum(weight.numel() for weight in (cell.input_weight, cell.recurrent_weight)) == 4 * 64 * 2 * 64 / 4
    for gate in cell.gates.values():
        for rows in gate.recurrent.split(16):
            torch.testing.assert_close(rows @ rows.T, torch.eye(16), atol=1e-5, rtol=0)
        assert 0.95 * (6 / 32) ** 0.5 < gate.input.abs().max() <= (6 / 32) ** 0.5


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_highway_follows_its_equations(rough, random_state, depth):
    cell, x = rough(RecurrentHighwayCell(3, SIZE, depth=depth)), torch.randn(BATCH, 3)
    state = random_state(cell, BATCH)
    carry, candidate = cell.gates.values()
    hidden, kept = state.hidden, 1.0
    for layer in range(depth):
        own = slice(layer * SIZE, (layer + 1) * SIZE)
        c, g = (hidden @ gate.recurrent[own].T + gate.bias[own] for gate in (carry, candidate))
        if layer == 0:
            c, g = c + x @ carry.input.T, g + x @ candidate.input.T
        c, g = torch.sigmoid(c), torch.tanh(g)
        hidden, kept = c * hidden + (1 - c) * g, kept * c
    stepped, gates = cell(cell.project(x), state)
    torch.testing.assert_close(stepped.hidden, hidden)
    torch.testing.assert_close(gates.carry, kept)


def test_each_layer_of_a_highway_starts_orthogonal_and_with_the_rule_s_bias():
    cell = RecurrentHighwayCell(3, 16, depth=2, options=GatedCellOptions(initialization=Chrono(longest=50)))
    for gate in cell.gates.values():
        for rows in gate.recurrent.split(16):
            torch.testing.assert_close(rows @ rows.T, torch.eye(16), atol=1e-5, rtol=0)
    assert all(biases.ge(0).all() and biases.std() > 0.1 for biases in cell.gates["carry"].bias.split(16))


def test_the_residual_over_time_follows_its_equations(rough, random_state):
    cell, x = rough(ResidualElmanCell(3, SIZE)), torch.randn(BATCH, 3)
    state = random_state(cell, BATCH)
    gate = cell.gates["candidate"]
    g = torch.tanh(x @ gate.input.T + state.hidden @ gate.recurrent.T + gate.bias)
    u, v = torch.sigmoid(cell.shares)
    stepped, gates = cell(cell.project(x), state)
    torch.testing.assert_close(stepped.hidden, u * g + v * state.hidden)
    torch.testing.assert_close(list(gates), [g, u.expand_as(g), v.expand_as(g)])


MISTAKES = [
    (
        lambda: FactorizedLSTMCell(3, SIZE, rank=8),
        "rank must be between 1 and 7, full rank of a cell of 4 units that reads 3, but is 8: "
        "use a lower rank, or the LSTM itself.",
    ),
    (
        lambda: GroupedLSTMCell(3, SIZE, groups=4),
        "groups must be between 1 and 3 for a cell of 4 units that reads 3, but is 4: "
        "use fewer groups, or larger sizes.",
    ),
    (lambda: RecurrentHighwayCell(3, SIZE, depth=0), "depth must be at least 1 layer, but is 0."),
]


@pytest.mark.parametrize(("build", "message"), MISTAKES, ids=[message[:6] for _, message in MISTAKES])
def test_mistakes_are_told(build, message):
    with pytest.raises(UserError) as error:
        build()
    assert str(error.value) == message
