"""Sweeps over a picture are those of its columns, then of its rows, whatever is beside it."""

from functools import partial

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.inputs.input import SourceSide
from seq2seq.layers.inputs.pictures import PictureInput
from seq2seq.layers.recurrent.bidirectional import BidirectionalLayer
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.stack import StackOptions
from seq2seq.layers.sweeps import SweepingFrontEnd
from seq2seq.models.encoder import Encoder

HEIGHT, WIDTH = 6, 7
LENGTHS = torch.tensor([7, 4, 1])
PATCHES = [(1, 1), (2, 3), (3, 2), (6, 4)]


def front_end(patch, **options) -> SweepingFrontEnd:
    return SweepingFrontEnd(
        HEIGHT, **{"patch_height": patch[0], "patch_width": patch[1], "hidden_size": 2} | options
    ).double()


def pictures() -> torch.Tensor:
    """Padding holds rubbish: nothing may depend on it."""
    return torch.randn(len(LENGTHS), WIDTH, HEIGHT, dtype=torch.double, requires_grad=True)


def swept(layer: BidirectionalLayer, steps: list[torch.Tensor]) -> torch.Tensor:
    """A sequence without padding, step by step in both directions."""
    found = []
    for cell, order in ((layer.forwards, steps), (layer.backwards, steps[::-1])):
        state, outputs = cell.start(order[0].unsqueeze(0)), []
        for step in order:
            state = cell.step(step.unsqueeze(0), state)
            outputs.append(state.hidden[0])
        found.append(torch.stack(outputs if order is steps else outputs[::-1]))
    return torch.cat(found, -1)


def written_out(made: SweepingFrontEnd, picture: torch.Tensor) -> torch.Tensor:
    """One picture, `time feature`, patch by patch."""
    tall, wide = made.patch_height, made.stride
    columns = []
    for start in range(0, len(picture), wide):
        patches = []
        for row in range(0, HEIGHT, tall):
            patch = torch.zeros(wide, tall, dtype=picture.dtype)
            inside = picture[start : start + wide, row : row + tall]
            patch[: len(inside)] = inside
            patches.append(patch.flatten())
        columns.append(swept(made.down, patches))
    rows = [swept(made.along, [column[row] for column in columns]) for row in range(made.rows)]
    return torch.cat(rows, -1)


@pytest.mark.parametrize("cell", [LSTMCell, GRUCell])
@pytest.mark.parametrize("patch", PATCHES)
def test_every_picture_is_swept_as_if_alone(patch, cell):
    made, vectors = front_end(patch, cell=cell), pictures()
    found, lengths = made(vectors, LENGTHS)
    assert found.shape[-1] == made.output_size
    for row, length in enumerate(LENGTHS.tolist()):
        expected = written_out(made, vectors[row, :length])
        assert lengths[row] == len(expected) == -(-length // patch[1])
        torch.testing.assert_close(found[row, : len(expected)], expected)


@pytest.mark.parametrize("patch", PATCHES)
def test_every_pixel_is_seen_everywhere_and_no_padding(patch):
    made, vectors = front_end(patch), pictures()
    found, lengths = made(vectors, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        for step in range(int(lengths[row])):
            (gradient,) = torch.autograd.grad(found[row, step].sum(), vectors, retain_graph=True)
            assert gradient[row, :length].ne(0).all()
            assert not gradient[row, length:].any()
            assert not gradient[torch.arange(len(LENGTHS)) != row].any()


def test_every_parameter_learns():
    made = front_end((2, 3))
    made(pictures(), LENGTHS)[0].pow(2).sum().backward()
    assert all(parameter.grad.any() for parameter in made.parameters())


def test_its_weights_are_used_once_a_patch():
    made = front_end((2, 3))
    assert {cell.reuse for layer in (made.down, made.along) for cell in layer.directions.values()} == {3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_height": 4}, "patch_height must divide the height of a column, 6, but is 4: choose another, or scale"),
        ({"patch_width": 0}, "patch_width must be at least 1, but is 0."),
        ({"hidden_size": 0}, "hidden_size must be at least 1, but is 0."),
    ],
)
def test_what_cannot_be_swept_is_told(options, message):
    with pytest.raises(UserError) as error:
        front_end((2, 2), **options)
    assert str(error.value).startswith(message)


def test_an_encoder_reads_pictures_through_it():
    sweeps = partial(SweepingFrontEnd, patch_height=3, patch_width=2, hidden_size=2)
    stack = StackOptions(hidden_size=4, num_layers=1, cell=LSTMCell, dropout=0.0)
    side = SourceSide(HEIGHT, 5, lambda: None)
    encoder = Encoder(side=side, options=stack, input=partial(PictureInput, front_end=sweeps)).double()
    encoded = encoder(pictures(), LENGTHS)
    assert encoded.values.shape == (3, 4, 8)
    assert encoded.lengths.tolist() == [4, 2, 1]
    with pytest.raises(UserError, match="front_end must be none for streams"):
        encoder.input.check_streams()
