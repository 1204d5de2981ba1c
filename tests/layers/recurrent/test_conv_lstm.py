"""The LSTM over pictures: an LSTM at every place, whose weights reach as far as a kernel."""

from functools import partial

import pytest
import torch
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.conv_lstm import PADDING, ConvLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.cells.peephole import PeepholeLSTMCell
from seq2seq.layers.recurrent.stack import BidirectionalLayer
from seq2seq.layers.recurrent.state import LSTMState

BATCH, TIME, HEIGHT, WIDTH = 3, 4, 3, 5
PLACES = HEIGHT * WIDTH
on_pictures = partial(ConvLSTMCell, 2 * PLACES, 3 * PLACES, height=HEIGHT, width=WIDTH)


def shifted(vectors, rows, columns):
    return vectors.unflatten(-1, (-1, HEIGHT, WIDTH)).roll((rows, columns), (-2, -1)).flatten(-3)


def copied(other, cell):
    """A cell with the matrices of another as the middle of its kernels."""
    with torch.no_grad():
        for name, gate in cell.gates.items():
            middle = gate.input.shape[-1] // 2
            gate.input[:, :, middle, middle] = other.gates[name].input
            gate.recurrent[:, :, middle, middle] = other.gates[name].recurrent
            gate.set_bias(other.gates[name].bias)
    return cell


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_on_pictures_of_one_pixel_it_is_the_lstm(rough, random_state, gradients, kernel_size):
    plain = rough(LSTMCell(4, 6))
    cell = copied(plain, rough(ConvLSTMCell(4, 6, kernel_size=kernel_size)))
    sequence, first = torch.randn(BATCH, TIME, 4, requires_grad=True), random_state(plain, BATCH)
    found, expected = (each.unroll(sequence, first) for each in (cell, plain))
    torch.testing.assert_close(found, expected)
    wanted = [sequence, *first]
    torch.testing.assert_close(gradients(found[0], wanted), gradients(expected[0], wanted))


def test_with_peepholes_it_is_then_the_lstm_with_peepholes(rough, random_state):
    plain = rough(PeepholeLSTMCell(4, 6))
    cell = copied(plain, rough(ConvLSTMCell(4, 6, kernel_size=1, peepholes=True)))
    cell.peepholes.data.copy_(plain.peepholes)
    sequence, first = torch.randn(BATCH, TIME, 4), random_state(plain, BATCH)
    torch.testing.assert_close(cell.unroll(sequence, first), plain.unroll(sequence, first))


def test_a_kernel_of_one_is_an_lstm_at_every_place(rough, random_state):
    plain = rough(LSTMCell(2, 3))
    cell = copied(plain, rough(on_pictures(kernel_size=1)))
    sequence, first = torch.randn(BATCH, TIME, 2 * PLACES), random_state(cell, BATCH)
    apart = [part.unflatten(-1, (-1, PLACES)).movedim(-1, 0) for part in (sequence, *first)]
    outputs = [plain.unroll(inputs, LSTMState(*state))[0] for inputs, *state in zip(*apart, strict=True)]
    torch.testing.assert_close(cell.unroll(sequence, first)[0], torch.stack(outputs, -1).flatten(-2))


def test_a_step_is_by_the_equations(rough, random_state):
    """With the old memory for the input and forget gate, and the new one for the output gate."""
    cell = rough(on_pictures(peepholes=True, kernel_size=3))
    inputs, state = torch.randn(BATCH, 2 * PLACES), random_state(cell, BATCH)
    x, h = (part.view(BATCH, -1, HEIGHT, WIDTH) for part in (inputs, state.hidden))
    sums = functional.conv2d(x, cell.input_weight, cell.bias, padding="same")
    sums = sums + functional.conv2d(h, cell.recurrent_weight, padding="same")
    i, f, g, o = sums.flatten(1).chunk(4, -1)
    p = cell.peepholes
    memory = torch.sigmoid(f + p[1] * state.cell) * state.cell + torch.sigmoid(i + p[0] * state.cell) * g.tanh()
    hidden = torch.sigmoid(o + p[2] * memory) * memory.tanh()
    torch.testing.assert_close(cell.step(inputs, state), LSTMState(hidden, memory))


@pytest.mark.parametrize("kernel_size", [3, 7])
def test_round_pictures_have_no_border(rough, random_state, kernel_size):
    cell = rough(on_pictures(padding_mode="circular", kernel_size=kernel_size))
    sequence, first = torch.randn(BATCH, TIME, 2 * PLACES), random_state(cell, BATCH)
    outputs, last = cell.unroll(sequence, first)
    moved, moved_last = cell.unroll(shifted(sequence, 1, -2), LSTMState(*(shifted(part, 1, -2) for part in first)))
    torch.testing.assert_close(moved, shifted(outputs, 1, -2))
    torch.testing.assert_close(list(moved_last), [shifted(part, 1, -2) for part in last])


@pytest.mark.parametrize(
    "options", [{}, {"padding_mode": "replicate"}, {"padding_mode": "circular", "peepholes": True}]
)
def test_other_borders_and_peepholes_tell_places_apart(rough, options):
    cell, sequence = rough(on_pictures(**options)), torch.randn(BATCH, TIME, 2 * PLACES)
    outputs, moved = (cell.unroll(each, cell.start(each))[0] for each in (sequence, shifted(sequence, 1, 1)))
    assert not torch.allclose(moved, shifted(outputs, 1, 1), atol=0.01)


@pytest.mark.parametrize("mode", PADDING)
def test_every_padding_is_torch_s(rough, mode):
    cell, inputs = rough(on_pictures(padding_mode=mode)), torch.randn(BATCH, 2 * PLACES)
    expected = torch.nn.Conv2d(2, 12, 3, padding=1, padding_mode=mode)
    expected.load_state_dict({"weight": cell.input_weight, "bias": cell.bias})
    torch.testing.assert_close(cell.project(inputs), expected(inputs.view(BATCH, 2, HEIGHT, WIDTH)).flatten(1))


def test_what_lies_beyond_the_kernel_comes_a_step_later(rough):
    """A pixel reaches one place further with each step."""
    cell, sequence = rough(on_pictures()), torch.zeros(1, WIDTH, 2 * PLACES)
    lit = sequence.clone()
    lit[0, 0, 0] = 1.0  # the corner
    outputs, others = (cell.unroll(each, cell.start(each))[0] for each in (lit, sequence))
    seen = (outputs != others).view(WIDTH, 3, HEIGHT, WIDTH).any(1).any(1)  # step column
    assert [row.sum().item() for row in seen] == [2, 3, 4, 5, 5]


def test_gradients_are_those_of_the_values(rough, random_state):
    cell = rough(ConvLSTMCell(4, 4, height=1, width=2, peepholes=True, padding_mode="circular")).double()
    sequence = torch.randn(2, 2, 4, dtype=torch.float64, requires_grad=True)
    state = random_state(cell, 2, torch.float64)

    def run(sequence, hidden, memory, *_):
        outputs, last = cell.unroll(sequence, LSTMState(hidden, memory))
        return outputs, *last

    assert torch.autograd.gradcheck(run, (sequence, *state, *cell.parameters()))


def test_two_directions_side_by_side_are_pictures_with_the_channels_of_both():
    layer = BidirectionalLayer(PLACES, 2 * PLACES, cell=partial(ConvLSTMCell, height=HEIGHT, width=WIDTH))
    above = partial(ConvLSTMCell, height=HEIGHT, width=WIDTH, padding_mode="circular")(layer.output_size, PLACES)
    outputs, _ = layer(torch.randn(BATCH, TIME, PLACES), torch.tensor([4, 1, 3]))
    assert above.unroll(outputs, above.start(outputs))[0].shape == (BATCH, TIME, PLACES)


def test_peepholes_start_shut_and_the_forget_gate_open():
    cell = on_pictures(peepholes=True)
    assert not cell.peepholes.any()
    assert cell.gates["forget"].bias.tolist() == [1.0] * 3
    assert cell.gates["forget"].recurrent.shape == (3, 3, 3, 3)


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        (
            (30, 46),
            {},
            "height x width must divide hidden_size, as vectors are pictures of some channels, but 3 x 5 = 15 does not "
            "divide 46: choose another size of pictures, or hidden_size a multiple of it.",
        ),
        (
            (32, 45),
            {},
            "height x width must divide input_size, as vectors are pictures of some channels, but 3 x 5 = 15 does not "
            "divide 32: choose another size of pictures, or input_size a multiple of it.",
        ),
        ((30, 45), {"width": 0}, "width must be at least 1, but is 0."),
        (
            (30, 45),
            {"kernel_size": 4},
            "kernel_size must be odd and at least 1, so that it has a middle, but is 4.",
        ),
        ((30, 45), {"padding_mode": "same"}, "padding_mode must be one of zeros, circular, replicate, but is 'same'."),
        (
            (30, 45),
            {"padding_mode": "circular", "kernel_size": 9},
            "kernel_size must be at most 7 for circular padding of pictures of 3 x 5, which would else be gone round "
            "twice, but is 9.",
        ),
    ],
)
def test_what_is_no_picture_is_told(sizes, options, message):
    with pytest.raises(UserError) as error:
        ConvLSTMCell(*sizes, **{"height": HEIGHT, "width": WIDTH} | options)
    assert str(error.value) == message


def test_options_change_what_comes_out(rough):
    inputs = torch.randn(BATCH, TIME, 2 * PLACES)
    found = []
    for options in ({}, {"gate_activation": "hard_sigmoid"}, {"activation": "relu"}):
        torch.manual_seed(5)
        cell = rough(on_pictures(options=GatedCellOptions(**options)))
        found.append(cell.unroll(inputs, cell.start(inputs))[0])
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[2])
