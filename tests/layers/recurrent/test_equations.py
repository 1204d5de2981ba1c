"""Each relative of the LSTM by its equations, and the LSTM where they say so."""

import pytest
import torch
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.coupled import CoupledLSTMCell
from seq2seq.layers.recurrent.cells.elman import ElmanCell
from seq2seq.layers.recurrent.cells.layer_norm import LayerNormLSTMCell
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.mogrifier import MogrifierLSTMCell
from seq2seq.layers.recurrent.cells.multi_timescale import MultiTimescaleLSTMCell
from seq2seq.layers.recurrent.cells.no_forget import NoForgetLSTMCell
from seq2seq.layers.recurrent.cells.no_output import NoOutputLSTMCell
from seq2seq.layers.recurrent.cells.options import CellOptions, GatedCellOptions
from seq2seq.layers.recurrent.cells.peephole import PeepholeLSTMCell
from seq2seq.layers.recurrent.cells.projected import ProjectedLSTMCell

SIZE, BATCH, TIME = 4, 3, 5


def sigmoid(sums):
    return 1 / (1 + torch.exp(-sums))


def sums(cell, name, inputs, hidden):
    gate = cell.gates[name]
    return inputs @ gate.input.T + hidden @ gate.recurrent.T + gate.bias


def step_of(cell, inputs, state):
    with torch.no_grad():
        return cell.step(inputs, state)


def example(cell, rough, random_state):
    return rough(cell), torch.randn(BATCH, cell.input_size), random_state(cell, BATCH)


def lstm_like(other, rough) -> LSTMCell:
    """An LSTM with the gates that another cell has."""
    cell = rough(LSTMCell(other.input_size, other.hidden_size))
    for name, gate in other.gates.items():
        cell.gates[name].input.copy_(gate.input)
        cell.gates[name].recurrent.copy_(gate.recurrent)
        cell.gates[name].set_bias(gate.bias)
    return cell


def assert_same(cell, lstm, random_state):
    sequence, first = torch.randn(BATCH, TIME, cell.input_size), random_state(lstm, BATCH)
    torch.testing.assert_close(cell.unroll(sequence, first), lstm.unroll(sequence, first))


def test_peepholes_see_the_cell(rough, random_state):
    cell, x, (h, c) = example(PeepholeLSTMCell(SIZE, SIZE), rough, random_state)
    of_input, of_forget, of_output = cell.peepholes
    i = sigmoid(sums(cell, "input", x, h) + of_input * c)
    f = sigmoid(sums(cell, "forget", x, h) + of_forget * c)
    new = f * c + i * torch.tanh(sums(cell, "candidate", x, h))
    o = sigmoid(sums(cell, "output", x, h) + of_output * new)
    torch.testing.assert_close(list(step_of(cell, x, type(cell.start(x))(h, c))), [o * torch.tanh(new), new])


def test_layer_normalisation_follows_its_equations(rough, random_state):
    cell, x, state = example(LayerNormLSTMCell(SIZE, SIZE), rough, random_state)

    def normal(values, norm):
        centred = values - values.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * norm.weight

    parts = normal(x @ cell.input_weight.T, cell.input_norm) + normal(
        state.hidden @ cell.recurrent_weight.T, cell.recurrent_norm
    )
    i, f, g, o = (parts + cell.bias).chunk(4, -1)
    new = sigmoid(f) * state.cell + sigmoid(i) * torch.tanh(g)
    shown = normal(new, cell.cell_norm) + cell.cell_norm.bias
    torch.testing.assert_close(list(step_of(cell, x, state)), [sigmoid(o) * torch.tanh(shown), new])


def test_layer_normalisation_counts_units_that_are_gone_as_zeros(rough, random_state):
    """Of a cell of twice the units, half of which have no weights and no state."""
    whole, x, state = example(LayerNormLSTMCell(SIZE, 2 * SIZE), rough, random_state)
    small, here = LayerNormLSTMCell(SIZE, SIZE, norm_size=2 * SIZE), torch.arange(2 * SIZE) < SIZE
    weights = whole.state_dict()
    for name, weight in weights.items():
        rows = here.repeat(len(weight) // len(here)) if weight.dim() else here
        weight[~rows] = 0
        if name == "recurrent_weight":
            weight[:, ~here] = 0
    small.load_state_dict(
        {
            name: (weight[:, here] if name == "recurrent_weight" else weight)[here.repeat(len(weight) // len(here))]
            for name, weight in weights.items()
        }
    )
    state = type(state)(*(part * here for part in state))
    found = step_of(small, x, type(state)(*(part[:, here] for part in state)))
    torch.testing.assert_close(list(found), [part[:, here] for part in step_of(whole, x, state)])
    with pytest.raises(UserError) as error:
        LayerNormLSTMCell(SIZE, SIZE, norm_size=SIZE - 1)
    assert str(error.value) == "norm_size must be at least 4, the number of units, or null for it, but is 3."


def test_projection_follows_its_equations(rough, random_state):
    cell, x, state = example(ProjectedLSTMCell(SIZE, SIZE, expansion=2.5), rough, random_state)
    i, f, g, o = (sums(cell, name, x, state.hidden) for name in ("input", "forget", "candidate", "output"))
    new = sigmoid(f) * state.cell + sigmoid(i) * torch.tanh(g)
    assert new.shape[-1] == 10
    hidden = (sigmoid(o) * torch.tanh(new)) @ cell.projection.weight.T
    torch.testing.assert_close(list(step_of(cell, x, state)), [hidden, new])


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_projection_equals_torch_with_copied_weights(rough, random_state):
    cell = rough(ProjectedLSTMCell(3, SIZE, expansion=1.5))
    reference = torch.nn.LSTM(3, 6, proj_size=SIZE, batch_first=True)
    with torch.no_grad():
        for theirs, ours in zip(
            reference.all_weights[0],
            (cell.input_weight, cell.recurrent_weight, cell.bias, cell.bias * 0, cell.projection.weight),
            strict=True,
        ):
            theirs.copy_(ours)
    sequence, first = torch.randn(BATCH, TIME, 3), random_state(cell, BATCH)
    expected, (hidden, memory) = reference(sequence, tuple(part.unsqueeze(0) for part in first))
    outputs, last = cell.unroll(sequence, first)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(list(last), [hidden[0], memory[0]])


def test_timescales_share_candidate_and_output_gate(rough, random_state):
    cell, x, state = example(MultiTimescaleLSTMCell(SIZE, SIZE, timescales=3), rough, random_state)
    g, o = torch.tanh(sums(cell, "candidate", x, state.hidden)), sigmoid(sums(cell, "output", x, state.hidden))
    i, f = (sigmoid(sums(cell, name, x, state.hidden)).chunk(3, -1) for name in ("input", "forget"))
    memories = [f[k] * c + i[k] * g for k, c in enumerate(state.cell.chunk(3, -1))]
    expected = [o * torch.tanh(sum(memories)), torch.cat(memories, -1)]
    torch.testing.assert_close(list(step_of(cell, x, state)), expected)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_the_mogrifier_scales_input_and_state_in_turn(rough, random_state, rounds):
    cell, x, state = example(MogrifierLSTMCell(3, SIZE, rounds=rounds), rough, random_state)
    scaled, hidden = x, state.hidden
    for number in range(rounds):
        weight = cell.mutual[number].weight
        if number % 2 == 0:
            scaled = 2 * sigmoid(hidden @ weight.T) * scaled
        else:
            hidden = 2 * sigmoid(scaled @ weight.T) * hidden
    i, f, g, o = (sums(cell, name, scaled, hidden) for name in ("input", "forget", "candidate", "output"))
    new = sigmoid(f) * state.cell + sigmoid(i) * torch.tanh(g)
    torch.testing.assert_close(list(step_of(cell, x, state)), [sigmoid(o) * torch.tanh(new), new])


def test_peepholes_of_zero_are_the_lstm(rough, random_state):
    cell = rough(PeepholeLSTMCell(SIZE, SIZE))
    cell.peepholes.data.zero_()
    assert_same(cell, lstm_like(cell, rough), random_state)


def test_one_timescale_is_the_lstm(rough, random_state):
    cell = rough(MultiTimescaleLSTMCell(SIZE, SIZE, timescales=1))
    assert_same(cell, lstm_like(cell, rough), random_state)


def test_no_rounds_are_the_lstm(rough, random_state):
    cell = rough(MogrifierLSTMCell(SIZE, SIZE, rounds=0))
    assert_same(cell, lstm_like(cell, rough), random_state)


def test_a_mogrifier_that_scales_by_one_is_the_lstm(rough, random_state):
    cell = rough(MogrifierLSTMCell(SIZE, SIZE, rounds=4))
    for scale in cell.mutual:
        scale.weight.data.zero_()
    assert_same(cell, lstm_like(cell, rough), random_state)


def test_an_identity_for_projection_is_the_lstm(rough, random_state):
    cell = rough(ProjectedLSTMCell(SIZE, SIZE, expansion=1.0))
    cell.projection.weight.data.copy_(torch.eye(SIZE))
    assert_same(cell, lstm_like(cell, rough), random_state)


@pytest.mark.parametrize(("input_size", "full"), [(SIZE, SIZE), (3, SIZE), (9, 9), (30, 16)])
def test_full_rank_starts_as_the_lstm_of_the_same_seed(random_state, input_size, full):
    torch.manual_seed(3)
    cell = LowRankLSTMCell(input_size, SIZE, rank=full)
    torch.manual_seed(3)
    wide = PeepholeLSTMCell(input_size, SIZE)  # an LSTM at first, whose parameters are drawn alike
    assert_same(cell, wide, random_state)


def test_low_rank_is_the_lstm_of_the_products(rough, random_state):
    cell = rough(LowRankLSTMCell(3, SIZE, rank=2))
    lstm = rough(LSTMCell(3, SIZE))
    weights = (
        cell.input_weight @ cell.input_factor,
        cell.recurrent_weight @ cell.recurrent_factor,
        cell.bias,
        torch.zeros(4 * SIZE),
    )
    with torch.no_grad():
        for theirs, ours in zip(lstm.kernel.all_weights[0], weights, strict=True):
            theirs.copy_(ours)
    assert torch.linalg.matrix_rank(weights[0]) == 2
    assert_same(cell, lstm, random_state)


def test_coupled_gates_are_an_lstm_whose_input_gate_mirrors_its_forget_gate(rough, random_state):
    cell = rough(CoupledLSTMCell(SIZE, SIZE))
    lstm = lstm_like(cell, rough)
    lstm.gates["input"].input.copy_(-cell.gates["forget"].input)
    lstm.gates["input"].recurrent.copy_(-cell.gates["forget"].recurrent)
    lstm.gates["input"].set_bias(-cell.gates["forget"].bias)
    assert_same(cell, lstm, random_state)


@pytest.mark.parametrize(("cell_kind", "missing"), [(NoForgetLSTMCell, "forget"), (NoOutputLSTMCell, "output")])
def test_a_missing_gate_is_one_that_is_always_open(rough, random_state, cell_kind, missing):
    cell = rough(cell_kind(SIZE, SIZE))
    lstm = lstm_like(cell, rough)
    lstm.gates[missing].input.zero_()
    lstm.gates[missing].recurrent.zero_()
    lstm.gates[missing].set_bias(100.0)
    assert_same(cell, lstm, random_state)


def test_activations_are_those_named(rough, random_state):
    cell = LSTMCell(SIZE, SIZE, options=GatedCellOptions(gate_activation="hard_sigmoid", activation="identity"))
    cell, x, state = example(cell, rough, random_state)  # its two biases add up

    def hard(values):
        return (values / 6 + 0.5).clamp(0, 1)

    i, f, g, o = (sums(cell, name, x, state.hidden) for name in ("input", "forget", "candidate", "output"))
    new = hard(f) * state.cell + hard(i) * g
    torch.testing.assert_close(list(step_of(cell, x, state)), [hard(o) * new, new])


@pytest.mark.parametrize("activation", ["relu", "identity", "tanh"])
def test_every_activation_of_every_cell_counts(cell_kind, rough, random_state, activation):
    cell = rough(cell_kind(3, SIZE, activation=activation))
    inputs, state = torch.randn(BATCH, 3), random_state(cell, BATCH)
    _, gates = cell(cell.project(inputs), state)
    found = gates.candidate
    expected = {"relu": found.ge(0), "identity": found.abs().gt(0), "tanh": found.abs().lt(1)}[activation]
    assert expected.all()
    cell.activation = {"relu": torch.tanh, "identity": functional.relu, "tanh": functional.relu}[activation]
    _, other = cell(cell.project(inputs), state)
    assert not torch.equal(found, other.candidate)


MISTAKES = [
    (
        lambda: LSTMCell(SIZE, SIZE, options=GatedCellOptions(gate_activation="softmax")),
        "gate_activation must be one of sigmoid, hard_sigmoid, but is 'softmax'.",
    ),
    (
        lambda: ElmanCell(SIZE, SIZE, options=CellOptions(activation="sigmoid")),
        "activation must be one of tanh, relu, identity, but is 'sigmoid'.",
    ),
    (
        lambda: LowRankLSTMCell(3, SIZE, rank=5),
        "rank must be between 1 and 4, full rank of a cell of 4 units that reads 3, but is 5: "
        "use a lower rank, or the LSTM itself.",
    ),
    (
        lambda: LowRankLSTMCell(5, SIZE, rank=0),
        "rank must be between 1 and 5, full rank of a cell of 4 units that reads 5, but is 0: "
        "use a lower rank, or the LSTM itself.",
    ),
    (
        lambda: ProjectedLSTMCell(SIZE, SIZE, expansion=0.1),
        "expansion must make at least one cell of 4 hidden units, but is 0.1.",
    ),
    (
        lambda: MultiTimescaleLSTMCell(SIZE, SIZE, timescales=0),
        "timescales must be at least 1, but is 0.",
    ),
    (lambda: MogrifierLSTMCell(SIZE, SIZE, rounds=-1), "rounds must be at least 0, but is -1."),
]


@pytest.mark.parametrize(("build", "message"), MISTAKES, ids=[message[:30] for _, message in MISTAKES])
def test_mistakes_are_told(build, message):
    with pytest.raises(UserError) as error:
        build()
    assert str(error.value) == message
