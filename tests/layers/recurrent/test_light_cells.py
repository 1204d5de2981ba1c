"""Cells without a recurrent matrix by their equations, and what they have and do not have."""

import math

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.min_gru import MinGRUCell
from seq2seq.layers.recurrent.cells.min_lstm import MinLSTMCell
from seq2seq.layers.recurrent.cells.options import LinearCellOptions
from seq2seq.layers.recurrent.cells.qrnn import QRNNCell
from seq2seq.layers.recurrent.cells.sru import SRUCell
from seq2seq.layers.recurrent.initialization import Chrono, Initialization
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.layers.recurrent.scan import scan
from seq2seq.layers.recurrent.stack import BidirectionalLayer

SIZE, BATCH, TIME = 4, 3, 6


def sigmoid(sums):
    return 1 / (1 + torch.exp(-sums))


def sums(cell, name, inputs):
    gate = cell.gates[name]
    return inputs @ gate.input.T + gate.bias


def example(cell, rough, random_state):
    return rough(cell), torch.randn(BATCH, cell.input_size), random_state(cell, BATCH)


@torch.no_grad()
def assert_step(cell, x, state, hidden, memory):
    torch.testing.assert_close(list(cell.step(x, state)), [hidden, memory])


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("input_size", [SIZE, 2 * SIZE, 7])
def test_sru_follows_its_equations(rough, random_state, input_size, rescale):
    cell = SRUCell(input_size, SIZE, highway_bias=-1.0, rescale=rescale)
    cell, x, state = example(cell, rough, random_state)
    v_f, v_r = cell.peepholes
    f = sigmoid(sums(cell, "forget", x) + v_f * state.cell)
    r = sigmoid(sums(cell, "reset", x) + v_r * state.cell)
    memory = f * state.cell + (1 - f) * sums(cell, "candidate", x)
    beside = {
        SIZE: lambda: x,
        2 * SIZE: lambda: (x[:, :SIZE] + x[:, SIZE:]) / 2**0.5,
        7: lambda: x @ cell.skip.weight.T,
    }
    scale = math.sqrt(1 + 2 * math.exp(-1)) if rescale else 1.0
    assert_step(cell, x, state, r * memory + (1 - r) * scale * beside[input_size](), memory)


def test_qrnn_follows_its_equations(rough, random_state):
    cell, x, state = example(QRNNCell(3, SIZE), rough, random_state)
    f, o = (sigmoid(sums(cell, name, x)) for name in ("forget", "output"))
    memory = f * state.cell + (1 - f) * torch.tanh(sums(cell, "candidate", x))
    assert_step(cell, x, state, o * memory, memory)


def test_qrnn_with_a_window_of_two_reads_the_input_before(rough, random_state):
    cell, x, state = example(QRNNCell(3, SIZE, window=2), rough, random_state)
    now = torch.randn(BATCH, 3)
    of_last = dict(zip(cell.gate_names, (x @ cell.ahead.weight.T).chunk(3, -1), strict=True))
    f, o = (sigmoid(sums(cell, name, now) + of_last[name]) for name in ("forget", "output"))
    stepped = cell.step(x, state)
    memory = f * stepped.cell[:, :SIZE] + (1 - f) * torch.tanh(sums(cell, "candidate", now) + of_last["candidate"])
    carried = torch.cat([memory, now @ cell.ahead.weight.T], -1)
    assert_step(cell, now, stepped, o * memory, carried)


def test_a_window_of_two_that_weighs_the_input_before_by_zero_is_a_window_of_one(rough):
    wide, plain = rough(QRNNCell(3, SIZE, window=2)), QRNNCell(3, SIZE)
    wide.ahead.weight.data.zero_()
    plain.load_state_dict(wide.state_dict(), strict=False)
    inputs = torch.randn(BATCH, TIME, 3)
    (wanted, last), (found, carried) = (cell.unroll(inputs, cell.start(inputs)) for cell in (plain, wide))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(carried.cell[:, :SIZE], last.cell)


@pytest.mark.parametrize("window", [0, 3])
def test_a_window_that_is_neither_one_step_nor_two_is_told(window):
    with pytest.raises(UserError) as error:
        QRNNCell(3, SIZE, window=window)
    assert str(error.value) == f"window must be 1 or 2 steps, but is {window}."


def test_min_gru_follows_its_equations(rough, random_state):
    cell, x, state = example(MinGRUCell(3, SIZE), rough, random_state)
    z = sigmoid(sums(cell, "update", x))
    memory = z * state.cell + (1 - z) * sums(cell, "candidate", x)
    assert_step(cell, x, state, memory, memory)


def test_min_lstm_follows_its_equations(rough, random_state):
    cell, x, state = example(MinLSTMCell(3, SIZE), rough, random_state)
    i, f = (sigmoid(sums(cell, name, x)) for name in ("input", "forget"))
    memory = f / (f + i) * state.cell + i / (f + i) * sums(cell, "candidate", x)
    assert_step(cell, x, state, memory, memory)


def test_the_shares_of_min_lstm_are_those_of_the_paper_s_logarithms(rough):
    cell, x = rough(MinLSTMCell(3, SIZE)), torch.randn(BATCH, 3)
    softplus = torch.nn.functional.softplus
    i, f = (sums(cell, name, x) for name in ("input", "forget"))
    _, gates = cell(cell.project(x), cell.start(x))
    torch.testing.assert_close(gates.forget, (-softplus(softplus(-f) - softplus(-i))).exp())
    torch.testing.assert_close(gates.input, (-softplus(softplus(-i) - softplus(-f))).exp())
    torch.testing.assert_close(gates.input + gates.forget, torch.ones(BATCH, SIZE))


def test_min_lstm_is_finite_where_both_gates_are_shut(rough):
    cell, inputs = rough(MinLSTMCell(3, SIZE)), torch.randn(BATCH, TIME, 3, requires_grad=True)
    for name in ("input", "forget"):
        cell.gates[name].set_bias(-200.0)
    for fused in (True, False):
        cell.fused = fused
        outputs, _ = cell.unroll(inputs, cell.start(inputs))
        (gradient,) = torch.autograd.grad(outputs.sum(), [inputs])
        assert outputs.isfinite().all()
        assert gradient.isfinite().all()


def test_every_gate_saturated_leaves_all_finite(light_kind):
    for sign in (-50.0, 50.0):
        cell, inputs = light_kind(3, SIZE), torch.randn(BATCH, 10, 3, requires_grad=True)
        for gate in cell.gates.values():
            gate.set_bias(sign)
        outputs, last = cell.unroll(inputs, cell.start(inputs))
        gradients = torch.autograd.grad(outputs.sum() + last.cell.sum(), [inputs, *cell.parameters()])
        assert all(values.isfinite().all() for values in (outputs, last.cell, *gradients))


@pytest.mark.parametrize(("highway_bias", "scale"), [(0.0, 1.732), (-1.0, 1.317), (-2.0, 1.127), (-3.0, 1.049)])
def test_the_highway_of_sru_is_scaled_by_its_bias(highway_bias, scale):
    cell = SRUCell(SIZE, SIZE, highway_bias=highway_bias)
    assert cell.scale == pytest.approx(scale, abs=1e-3)
    assert cell.gates["reset"].bias.eq(highway_bias).all()
    assert SRUCell(SIZE, SIZE, highway_bias=highway_bias, rescale=False).scale == 1


def test_peepholes_of_sru_have_a_variance_of_a_half():
    peepholes = SRUCell(4, 4000).peepholes
    assert peepholes.var().item() == pytest.approx(0.5, abs=0.02)
    assert peepholes.abs().max() <= 1.5**0.5


def test_a_memory_that_gates_do_not_see_changes_none_of_them(rough, random_state):
    """SRU with peepholes of zero is its first version."""
    cell, x, state = example(SRUCell(SIZE, SIZE), rough, random_state)
    cell.peepholes.data.zero_()
    _, gates = cell(cell.project(x), state)
    _, others = cell(cell.project(x), state._replace(cell=state.cell + 1))
    torch.testing.assert_close(gates, others)
    torch.testing.assert_close(gates.forget, sigmoid(sums(cell, "forget", x)))


@torch.no_grad()
def test_variance_stays_over_ten_layers_of_sru_that_rescale():
    torch.manual_seed(3)
    size, inputs = 128, torch.randn(32, 20, 128)
    spread = {}
    for rescale in (True, False):
        values, found = inputs, []
        for _ in range(10):
            cell = SRUCell(size, size, rescale=rescale)
            values, _ = cell.unroll(values, cell.start(values))
            found.append(values.var().item())
        spread[rescale] = found[-1] / found[0]
    assert 0.5 < spread[True] < 2
    assert spread[False] < 0.1


def test_the_memory_is_in_float32_on_the_fast_path_whatever_products_are_computed_in(light_kind, rough):
    cell, inputs = rough(light_kind(3, SIZE)), torch.randn(BATCH, TIME, 3)
    state = cell.start(inputs.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        outputs, last = cell.unroll(inputs.bfloat16(), state)
        visible, visible_last, _ = scan(cell, cell.project(inputs.bfloat16()), state)
    assert (outputs.dtype, last.hidden.dtype, last.cell.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)
    torch.testing.assert_close(outputs, visible, atol=0.02, rtol=0.02)
    torch.testing.assert_close(last.cell, visible_last.cell, atol=0.02, rtol=0.02)


def test_a_long_memory_fades_in_half_precision_as_in_full(light_kind):
    """In bfloat16 a gate above 0.998 is either 1 or 0.996: there is nothing between 256 steps and for ever."""
    cell, inputs = light_kind(3, SIZE), torch.zeros(1, 400, 3)
    cell.gates[cell.keep_gate].set_bias(math.log(399))  # a time constant of 400 steps
    if "input" in cell.gates:
        cell.gates["input"].set_bias(-math.log(399))
    for name in {"candidate", "reset"} & cell.gates.keys():
        cell.gates[name].set_bias(0.0)
    if isinstance(cell, SRUCell):
        cell.peepholes.data.zero_()
    start = cell.start(torch.zeros(1, 1).bfloat16())
    start.cell[:, :SIZE] = 1.0
    with torch.autocast("cpu", torch.bfloat16):
        faded = cell.unroll(inputs, start)[1].cell[:, :SIZE]
    # The bias alone is rounded, from 5.9890 to 6.
    torch.testing.assert_close(faded, torch.full((1, SIZE), math.exp(-1)), rtol=0.02, atol=0)


def test_steps_in_chunks_are_the_steps_of_the_whole(light_kind, rough, random_state):
    cell = rough(light_kind(3, SIZE))
    projected, state = torch.randn(BATCH, TIME, 3), random_state(cell, BATCH)
    whole, last = cell.unroll(projected, state)
    outputs = []
    for chunk in projected.split(4, 1):
        part, state = cell.unroll(chunk, state)
        outputs.append(part)
    torch.testing.assert_close(torch.cat(outputs, 1), whole)
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("chunk_size", [1, 4])
def test_a_layer_in_chunks_is_the_layer_in_values_and_gradients(light_kind, gradients, chunk_size):
    torch.manual_seed(4)
    whole = BidirectionalLayer(3, SIZE, cell=light_kind)
    chunked = BidirectionalLayer(3, SIZE, cell=light_kind, chunk_size=chunk_size)
    chunked.load_state_dict(whole.state_dict())
    inputs, lengths = torch.randn(BATCH, TIME, 3), torch.tensor([6, 2, 5])
    (wanted, _), (found, _) = (layer(inputs, lengths) for layer in (whole, chunked))
    torch.testing.assert_close(found, wanted)
    parameters = [list(layer.parameters()) for layer in (chunked, whole)]
    torch.testing.assert_close(gradients(found, parameters[0]), gradients(wanted, parameters[1]))


def test_the_loop_of_its_own_runs_unless_noise_or_a_look_at_gates_forbids(light_kind, monkeypatch):
    ran, inputs = [], torch.randn(BATCH, TIME, 3)
    plain, shown = light_kind(3, SIZE), light_kind(3, SIZE)
    shown.fused = False
    noisy = light_kind(3, SIZE, regularization=Regularization(zoneout_cell=0.1))
    for cell in (plain, shown, noisy):
        monkeypatch.setattr(cell, "run", lambda *given, own=cell: ran.append(own) or type(own).run(own, *given))
        cell.unroll(inputs, cell.start(inputs))
    assert ran == [plain]


def test_gates_have_no_weights_of_the_hidden_state(light_kind):
    cell = light_kind(3, SIZE)
    assert cell.recurrent_weights == ()
    assert all(gate.recurrent is None for gate in cell.gates.values())
    assert cell.keep_gate in cell.gates


def test_chrono_makes_the_gates_of_min_lstm_time_constants():
    cell = MinLSTMCell(3, 500, options=LinearCellOptions(initialization=Chrono(longest=100)))
    _, gates = cell(cell.project(torch.zeros(1, 3)), cell.start(torch.zeros(1, 3)))
    torch.testing.assert_close(gates.forget[0], cell.gates["forget"].bias.sigmoid())


def test_a_rule_for_a_matrix_that_is_not_there_is_told(light_kind):
    with pytest.raises(UserError) as error:
        light_kind(3, SIZE, initialization=Initialization(recurrent="xavier"))
    assert str(error.value) == (
        "initialization must leave recurrent at orthogonal for a cell without a recurrent matrix, "
        "which there is nothing of to fill."
    )


@pytest.mark.parametrize("highway_bias", [1000.0, -50.5, float("nan")])
def test_a_bias_that_no_training_moves_is_told(highway_bias):
    with pytest.raises(UserError) as error:
        SRUCell(SIZE, SIZE, highway_bias=highway_bias)
    assert str(error.value) == (
        f"highway_bias must be between -50 and 50, where a gate is shut or open for good, but is {highway_bias}."
    )


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
def test_the_loop_of_its_own_is_the_visible_one_with_every_activation(
    light_kind, rough, random_state, gradients, activation
):
    cell = rough(light_kind(3, SIZE, activation=activation))
    sequence, first = torch.randn(BATCH, TIME, 3, requires_grad=True), random_state(cell, BATCH)
    wanted = [sequence, first.cell, *cell.parameters()]
    fast, _ = cell.unroll(sequence, first)
    visible, _, _ = scan(cell, cell.project(sequence), first)
    torch.testing.assert_close(fast, visible)
    torch.testing.assert_close(gradients(fast, wanted), gradients(visible, wanted))
