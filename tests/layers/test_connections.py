import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.connections import PlainConnection, ResidualConnection, connect
from seq2seq.layers.recurrent.layers import build_layers
from seq2seq.layers.recurrent.stack import RecurrentStack, StackOptions

NAMES = ["none", "residual", "highway", "dense"]


def given(input_size=3, output_size=3):
    return torch.randn(2, 5, input_size), torch.randn(2, 5, output_size)


@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize("sizes", [(3, 3), (2, 3), (4, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_a_connection_says_how_much_it_gives(name, sizes, top):
    connection = connect(name, *sizes, top=top)
    assert connection(*given(*sizes)).shape == (2, 5, connection.size)
    if top:
        assert connection.size == 3


@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize("sizes", [(3, 3), (2, 3)])
def test_none_is_the_outputs_alone(sizes, top):
    inputs, outputs = given(*sizes)
    assert torch.equal(connect("none", *sizes, top=top)(inputs, outputs), outputs)


@pytest.mark.parametrize("top", [False, True])
def test_residual_adds_the_input_where_sizes_agree(top):
    inputs, outputs = given()
    assert torch.equal(connect("residual", 3, 3, top=top)(inputs, outputs), inputs + outputs)
    for size in (1, 2, 6):
        inputs, outputs = given(size)
        assert torch.equal(connect("residual", size, 3, top=top)(inputs, outputs), outputs)


@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize("sizes", [(3, 3), (2, 3)])
def test_highway_mixes_by_a_gate_of_the_input(sizes, top):
    connection, (inputs, outputs) = connect("highway", *sizes, top=top), given(*sizes)
    with torch.no_grad():
        connection.gate.gate.bias.add_(torch.randn(3))
    t = torch.sigmoid(inputs @ connection.gate.gate.weight.T + connection.gate.gate.bias)
    passing = inputs if sizes[0] == 3 else inputs @ connection.gate.bypass.weight.T
    torch.testing.assert_close(connection(inputs, outputs), t * outputs + (1 - t) * passing)


def test_dense_keeps_the_input_beside_the_outputs_but_at_the_top():
    inputs, outputs = given(2)
    assert torch.equal(connect("dense", 2, 3, top=False)(inputs, outputs), torch.cat([inputs, outputs], 2))
    assert torch.equal(connect("dense", 2, 3, top=True)(inputs, outputs), outputs)


@pytest.mark.parametrize("name", ["None", "", "residuals"])
def test_another_name_is_told(name):
    with pytest.raises(UserError) as error:
        connect(name, 3, 3, top=False)
    assert str(error.value) == (f"connection must be one of none, residual, highway, dense, but is {name!r}.")


def test_each_layer_can_have_its_own():
    """Without what its size would add, as pruned layers have it."""
    names, lengths = ["none", "residual"], torch.tensor([5, 2])
    options = {"hidden_size": 4, "num_layers": 2, "cell": LSTMCell, "direction": "forward"}
    stack = RecurrentStack(4, StackOptions(connection=names, **options)).eval()
    assert [type(each) for each in stack.connections] == [PlainConnection, ResidualConnection]
    inputs = torch.randn(2, 5, 4)
    below = stack.layers[0](inputs, lengths)[0]
    torch.testing.assert_close(stack(inputs, lengths).values, below + stack.layers[1](below, lengths)[0])
    for kinds in (names, names[::-1]):
        _, connections = build_layers(LSTMCell, 4, 4, 2, connection=kinds, around_bottom=True)
        assert [type(each).__name__.lower()[:4] for each in connections] == [
            "plain"[:4] if kind == "none" else kind[:4] for kind in kinds
        ]


def test_as_many_as_layers_are_named():
    with pytest.raises(UserError) as error:
        RecurrentStack(4, StackOptions(hidden_size=4, num_layers=2, cell=LSTMCell, connection=["none"]))
    assert str(error.value) == (
        "connection must be one for all layers, or as many as layers, 2, but is ['none']: name one for each, bottom "
        "first."
    )
