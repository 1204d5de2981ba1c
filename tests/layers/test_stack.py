from functools import partial
from itertools import zip_longest

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.cells.peephole import PeepholeLSTMCell
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.layers.recurrent.stack import RecurrentStack, StackOptions
from seq2seq.masking import length_mask

INPUT_SIZE, HIDDEN_SIZE, WIDTH = 3, 4, 6
LENGTHS = torch.tensor([4, 6, 1, 3])


CONNECTIONS = ["none", "residual", "highway", "dense"]
DROPPING = partial(LSTMCell, options=GatedCellOptions(regularization=Regularization(weight_drop=0.25)))


def stack(num_layers=1, *, input_size=INPUT_SIZE, cell=LSTMCell, **options) -> RecurrentStack:
    given = {"dropout": 0.0, **options}
    return RecurrentStack(input_size, StackOptions(HIDDEN_SIZE, num_layers, cell, **given))


def sentences(size=INPUT_SIZE) -> torch.Tensor:
    """Padding holds rubbish: nothing may depend on it."""
    return torch.randn(4, WIDTH, size, requires_grad=True)


def torch_lstm(ours: RecurrentStack) -> nn.LSTM:
    """torch's bidirectional LSTM of the same depth and weights."""
    theirs = nn.LSTM(INPUT_SIZE, HIDDEN_SIZE, len(ours.layers), batch_first=True, bidirectional=True)
    state = {}
    for depth, layer in enumerate(ours.layers):
        for cell, suffix in ((layer.forwards, ""), (layer.backwards, "_reverse")):
            named = cell.kernel.state_dict()
            state |= {name.replace("_l0", f"_l{depth}{suffix}"): weight for name, weight in named.items()}
    theirs.load_state_dict(state)
    return theirs


def gradients(module, inputs, *parts) -> list[torch.Tensor]:
    """Of a loss that weighs every element differently, by the inputs and all parameters."""
    loss = sum((part * torch.linspace(-1, 1, part.numel()).view_as(part)).sum() for part in parts)
    return torch.autograd.grad(loss, [inputs, *module.parameters()])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_stack_equals_torch_on_packed_sequences(num_layers):
    ours, inputs = stack(num_layers, connection="none"), sentences()
    theirs = torch_lstm(ours)
    mask = length_mask(LENGTHS, WIDTH).unsqueeze(-1)
    outputs, _, last = ours(inputs, LENGTHS)
    packed = pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    packed_outputs, (hidden, _) = theirs(packed)
    expected, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=WIDTH)
    expected_last = torch.cat([hidden[-2], hidden[-1]], -1)
    torch.testing.assert_close(outputs * mask, expected)
    torch.testing.assert_close(last, expected_last)
    # Both list the parameters of a layer's forward direction before those of its backward one.
    torch.testing.assert_close(
        gradients(ours, inputs, outputs * mask, last), gradients(theirs, inputs, expected, expected_last)
    )


@pytest.mark.parametrize("halvings", [0, 1, 2])
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_padding_company_and_order_change_nothing(connection, halvings):
    layers, inputs = stack(3, connection=connection, halvings=halvings), sentences()
    encoded = layers(inputs, LENGTHS)
    order = torch.tensor([2, 0, 3, 1])
    wider = torch.cat([inputs[order], torch.randn(4, 5, INPUT_SIZE) * 100], 1)
    shuffled = layers(wider, LENGTHS[order])
    for row, length in enumerate(LENGTHS.tolist()):
        alone = layers(inputs[row : row + 1, :length], LENGTHS[row : row + 1])
        steps = -(-length // 2**halvings)
        assert alone.values.shape[1] == alone.lengths[0] == encoded.lengths[row] == steps
        place = int((order == row).nonzero())
        for values, last in ((encoded.values[row], encoded.last[row]), (shuffled.values[place], shuffled.last[place])):
            torch.testing.assert_close(values[:steps], alone.values[0])
            torch.testing.assert_close(last, alone.last[0])


@pytest.mark.parametrize("halvings", [0, 1, 2])
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_every_output_sees_the_whole_sentence_and_nothing_else(connection, halvings):
    layers, inputs = stack(3, connection=connection, halvings=halvings), sentences()
    encoded = layers(inputs, LENGTHS)
    for row, steps in enumerate(encoded.lengths.tolist()):
        wanted = length_mask(LENGTHS, WIDTH) & (torch.arange(4) == row).view(4, 1)
        for given in (*encoded.values[row, :steps], encoded.last[row]):
            (gradient,) = torch.autograd.grad(given.sum(), inputs, retain_graph=True)
            assert torch.equal(gradient.abs().sum(-1) > 0, wanted)


@pytest.mark.parametrize("halvings", [0, 1, 2])
@pytest.mark.parametrize("input_size", [INPUT_SIZE, 2 * HIDDEN_SIZE])
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_layers_are_joined_by_the_equations(connection, input_size, halvings):
    """Of one sentence, by lists of its steps."""
    layers = stack(3, input_size=input_size, connection=connection, halvings=halvings)
    sentence, length = torch.randn(1, 5, input_size), torch.tensor([5])
    below = [sentence[0]]  # what the next layer reads, side by side
    for depth, (layer, joined) in enumerate(zip(layers.layers, layers.connections, strict=True)):
        if depth >= 3 - halvings:
            rows = torch.cat(below, 1)
            zero = torch.zeros(rows.shape[1])
            below = [torch.stack([torch.cat(pair) for pair in zip_longest(rows[::2], rows[1::2], fillvalue=zero)])]
        inputs = torch.cat(below, 1)
        (outputs,), (last,) = layer(inputs.unsqueeze(0), torch.tensor([len(inputs)]))
        if connection == "residual" and inputs.shape == outputs.shape:
            below = [inputs + outputs]
        elif connection == "highway":
            t = torch.sigmoid(inputs @ joined.gate.gate.weight.T + joined.gate.gate.bias)
            passing = inputs if inputs.shape == outputs.shape else inputs @ joined.gate.bypass.weight.T
            below = [t * outputs + (1 - t) * passing]
        elif connection == "dense" and depth < 2:
            below = [*below, outputs]
        else:
            below = [outputs]
    encoded = layers(sentence, length)
    torch.testing.assert_close(encoded.values[0], below[0])
    torch.testing.assert_close(encoded.last[0], last)
    assert encoded.lengths.tolist() == [len(below[0])]


def test_dense_layers_read_the_input_and_all_outputs_below():
    layers = stack(3, connection="dense")
    assert [layer.forwards.input_size for layer in layers.layers] == [INPUT_SIZE, INPUT_SIZE + 8, INPUT_SIZE + 16]
    pairs = stack(3, connection="dense", halvings=1)
    assert [layer.forwards.input_size for layer in pairs.layers] == [INPUT_SIZE, INPUT_SIZE + 8, 2 * (INPUT_SIZE + 16)]


@pytest.mark.parametrize("connection", ["none", "residual", "dense"])
def test_only_highways_have_parameters_beside_the_layers(connection):
    layers = stack(3, connection=connection)
    assert all(name.startswith("layers.") for name in layers.state_dict())
    assert any(not name.startswith("layers.") for name in stack(3, connection="highway").state_dict())


@pytest.mark.parametrize("halvings", [0, 1, 2])
def test_last_is_the_top_layer_s_last_output_within_the_length(halvings):
    layers, inputs = stack(3, connection="none", halvings=halvings), sentences()
    values, lengths, last = layers(inputs, LENGTHS)
    for row, steps in enumerate(lengths.tolist()):
        ahead, back = values[row, steps - 1, :HIDDEN_SIZE], values[row, 0, HIDDEN_SIZE:]
        torch.testing.assert_close(last[row], torch.cat([ahead, back]))


@pytest.mark.parametrize("cell", [LSTMCell, PeepholeLSTMCell])
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_chunks_change_neither_values_nor_gradients(connection, cell):
    def results(chunk_size):
        torch.manual_seed(3)
        layers = stack(2, cell=cell, connection=connection, halvings=1, chunk_size=chunk_size).double()
        with torch.no_grad():
            encoded = layers(inputs, LENGTHS)
        values, lengths, last = layers(inputs, LENGTHS)
        mask = length_mask(lengths, values.shape[1]).unsqueeze(-1)
        return *encoded, values, last, *gradients(layers, inputs, values * mask, last)

    inputs = sentences().double()
    expected = results(None)
    for size in (1, 2, 5, 100):
        torch.testing.assert_close(results(size), expected)


def test_no_more_steps_than_a_chunk_are_run_at_once_and_kept_for_the_gradient():
    layers, inputs, seen = stack(1, chunk_size=2, cell=PeepholeLSTMCell), sentences(), []
    for cell in (layers.layers[0].forwards, layers.layers[0].backwards):
        project = cell.project
        cell.project = lambda given, project=project: seen.append(given.shape[1]) or project(given)
    outputs = layers(inputs, LENGTHS).values
    assert seen == [2] * 6
    outputs.sum().backward()
    assert seen == [2] * 12  # each chunk anew
    seen.clear()
    layers(inputs[:, :2], LENGTHS.clamp(max=2)).values.sum().backward()
    assert seen == [2] * 2  # what is one chunk anyway is computed once


def test_chunks_computed_anew_leave_the_same_units_out():
    noise = Regularization(zoneout_hidden=0.5, zoneout_cell=0.5)
    cell = partial(PeepholeLSTMCell, options=GatedCellOptions(regularization=noise))
    whole, chunked = stack(2, cell=cell, dropout=0.5), stack(2, cell=cell, dropout=0.5, chunk_size=2)
    chunked.load_state_dict(whole.state_dict())
    inputs, found = sentences(), []
    for layers in (whole, chunked):
        torch.manual_seed(3)
        values, _, last = layers(inputs, LENGTHS)
        found.append([values, last, *gradients(layers, inputs, values, last)])
    torch.testing.assert_close(*found)


def test_dropout_is_locked_over_time_and_off_in_evaluation():
    layers, inputs = stack(1, dropout=0.5), sentences()
    gone = layers(inputs, LENGTHS).values.eq(0)
    assert torch.equal(gone, gone[:, :1].expand_as(gone))
    assert gone.any()
    layers.eval()
    assert layers(inputs, LENGTHS).values.ne(0).all()


def test_dropout_leaves_what_passes_by_a_layer():
    layers, inputs = stack(1, input_size=2 * HIDDEN_SIZE, dropout=0.5), sentences(2 * HIDDEN_SIZE)
    passed = layers(inputs, LENGTHS).values.eq(inputs)
    assert torch.equal(passed, passed[:, :1].expand_as(passed))
    assert passed.any()


def test_output_is_as_wide_as_both_directions():
    layers = stack(2)
    assert layers(sentences(), LENGTHS).values.shape == (4, WIDTH, layers.output_size)


def test_no_layers_are_told():
    with pytest.raises(UserError) as error:
        stack(0)
    assert str(error.value) == "num_layers must be at least 1, but is 0."


def test_parts_say_how_many_steps_of_the_input_one_of_theirs_stands_for():
    layers = stack(4, connection="highway", halvings=2)
    wanted = zip(layers.layers, layers.connections, (1, 1, 2, 4), strict=True)
    assert list(layers.parts) == [(part, steps) for *pair, steps in wanted for part in pair]
    assert layers.reduction == 4
    assert stack(2).reduction == 1


@pytest.mark.parametrize(
    ("num_layers", "options", "message"),
    [
        (
            2,
            {"halvings": 2},
            "halvings must be at least 0 and below num_layers, which is 2, but is 2.",
        ),
        (
            1,
            {"halvings": -1},
            "halvings must be at least 0 and below num_layers, which is 1, but is -1.",
        ),
        (1, {"chunk_size": 0}, "chunk_size must be at least 1 step, or null for all, but is 0."),
        (
            1,
            {"chunk_size": 7, "cell": DROPPING},
            "chunk_size must be null where weight_drop is above 0, as each "
            "chunk would drop other weights, but they are 7 and 0.25.",
        ),
        (
            1,
            {"connection": "skip"},
            "connection must be one of none, residual, highway, dense, but is 'skip'.",
        ),
    ],
    ids=str,
)
def test_mistakes_are_told(num_layers, options, message):
    with pytest.raises(UserError) as error:
        stack(num_layers, **options)
    assert str(error.value) == message
