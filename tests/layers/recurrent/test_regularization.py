from functools import partial

import pytest
import torch

from seq2seq.config.builder import call
from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.one_way import OneWayLayer
from seq2seq.layers.recurrent.regularization import Regularization

SIZE, BATCH, TIME = 6, 5, 4


def pair(cell_kind, rough, **rates):
    """A cell with noise and the same cell without."""
    noisy = rough(cell_kind(3, SIZE, regularization=Regularization(**rates)))
    plain = cell_kind(3, SIZE)
    plain.load_state_dict(noisy.state_dict())
    return noisy, plain


def test_out_of_training_zoneout_is_its_expectation(cell_kind, rough, random_state):
    noisy, plain = pair(cell_kind, rough, zoneout_hidden=0.3)
    inputs, state = torch.randn(BATCH, 3), random_state(plain, BATCH)
    expected = plain.step(inputs, state)
    found = noisy.eval().step(inputs, state)
    torch.testing.assert_close(found.hidden, 0.3 * state.hidden + 0.7 * expected.hidden)
    torch.testing.assert_close(list(found[1:]), list(expected[1:]))


def test_in_training_a_unit_is_as_before_or_as_the_equations_say(cell_kind, rough, random_state):
    noisy, plain = pair(cell_kind, rough, zoneout_hidden=0.3)
    inputs, state = torch.randn(500, 3), random_state(plain, 500)
    expected, found = plain.step(inputs, state).hidden, noisy.step(inputs, state).hidden
    old = found.eq(state.hidden)
    torch.testing.assert_close(found[~old], expected[~old])
    assert 0.25 < old.float().mean() < 0.35  # 3,000 draws: three deviations are 0.025


def test_zoneout_of_the_cell_leaves_the_hidden_state_alone(rough, random_state):
    noisy, plain = pair(partial(call, LSTMCell), rough, zoneout_cell=0.5)
    inputs, state = torch.randn(BATCH, 3), random_state(plain, BATCH)
    expected, found = plain.step(inputs, state), noisy.eval().step(inputs, state)
    torch.testing.assert_close(found.hidden, expected.hidden)
    torch.testing.assert_close(found.cell, (state.cell + expected.cell) / 2)


def test_zoneout_is_in_unroll_too(cell_kind, rough, random_state):
    noisy, _ = pair(cell_kind, rough, zoneout_hidden=0.3)
    sequence, state = torch.randn(BATCH, TIME, 3), random_state(noisy, BATCH)
    outputs, _ = noisy.eval().unroll(sequence, state)
    for step, inputs in enumerate(sequence.unbind(1)):
        state = noisy.step(inputs, state)
        torch.testing.assert_close(outputs[:, step], state.hidden)


def test_dropped_weights_stay_so_for_all_steps_and_sentences(matrix_kind, rough, random_state):
    noisy, plain = pair(matrix_kind, rough, weight_drop=0.5)
    sequence, first = torch.randn(BATCH, TIME, 3), random_state(plain, BATCH)
    torch.manual_seed(5)
    outputs, _ = noisy.unroll(sequence, first)
    torch.manual_seed(5)
    for name, weight in noisy.dropped_weights().items():
        parameter = plain.get_parameter(name)
        kept = weight != 0
        assert 0.2 < kept.float().mean() < 0.8
        torch.testing.assert_close(weight[kept], 2 * parameter[kept])
        parameter.data.copy_(weight)
    expected, _ = plain.unroll(sequence, first)
    torch.testing.assert_close(outputs, expected)


@pytest.mark.parametrize("fused", [True, False])
def test_dropped_weights_get_no_gradient(fused_kind, rough, random_state, fused):
    noisy, _ = pair(fused_kind, rough, weight_drop=0.5)
    noisy.fused = fused
    torch.manual_seed(5)
    outputs, _ = noisy.unroll(torch.randn(BATCH, TIME, 3), random_state(noisy, BATCH))
    outputs.pow(2).sum().backward()
    gradient = noisy.kernel.weight_hh_l0.grad
    assert 0.2 < gradient.eq(0).float().mean() < 0.8


def test_weight_drop_is_off_out_of_training(matrix_kind, rough, random_state):
    noisy, plain = pair(matrix_kind, rough, weight_drop=0.5)
    sequence, first = torch.randn(BATCH, TIME, 3), random_state(plain, BATCH)
    torch.testing.assert_close(noisy.eval().unroll(sequence, first), plain.unroll(sequence, first))
    assert noisy.dropped_weights() == {}


@pytest.mark.parametrize("leaves_state", [False, True])
def test_sentences_of_all_lengths_lose_the_same_weights(matrix_kind, rough, leaves_state):
    layer = rough(OneWayLayer(3, SIZE, cell=partial(matrix_kind, regularization=Regularization(weight_drop=0.5))))
    layer.leaves_state = leaves_state
    lengths = torch.tensor([4, 3, 2, 2])
    outputs, _ = layer(torch.randn(1, TIME, 3).expand(len(lengths), -1, -1), lengths)
    for row, length in zip(outputs, lengths.tolist(), strict=True):
        torch.testing.assert_close(row[:length], outputs[0, :length])


def test_a_cell_without_a_recurrent_matrix_has_none_to_drop(light_kind):
    for name in ("weight_drop", "recurrent_dropout"):
        with pytest.raises(UserError) as error:
            light_kind(3, 4, regularization=Regularization(**{name: 0.5}))
        assert str(error.value) == (
            f"regularization must leave {name} at 0 for a cell without a recurrent matrix, but has 0.5: "
            "use zoneout_cell."
        )
    assert light_kind(3, 4).dropped_weights() == {}


def test_zoneout_of_the_cell_of_a_cell_without_a_recurrent_matrix_is_in_unroll(light_kind, rough, random_state):
    noisy, plain = pair(light_kind, rough, zoneout_cell=0.4)
    sequence, state = torch.randn(BATCH, TIME, 3), random_state(noisy, BATCH)
    outputs, last = noisy.eval().unroll(sequence, state)
    for step, inputs in enumerate(sequence.unbind(1)):
        expected = plain.step(inputs, state)
        state = expected._replace(cell=0.4 * state.cell + 0.6 * expected.cell)
        torch.testing.assert_close(outputs[:, step], expected.hidden)
    torch.testing.assert_close(last, state)


@pytest.mark.parametrize("name", ["zoneout_hidden", "zoneout_cell", "weight_drop", "recurrent_dropout"])
@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_a_rate_that_is_no_probability_is_told(name, value):
    with pytest.raises(UserError) as error:
        Regularization(**{name: value})
    assert str(error.value) == f"{name} must be at least 0 and below 1, but is {value}."


def test_zoneout_of_a_memory_that_is_not_there_is_told():
    with pytest.raises(UserError) as error:
        GRUCell(3, 4, options=GatedCellOptions(regularization=Regularization(zoneout_cell=0.1)))
    assert str(error.value) == (
        "regularization must leave zoneout_cell at 0 for a cell without a memory beside its hidden state, "
        "but has 0.1: use zoneout_hidden."
    )
