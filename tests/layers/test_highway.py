import pytest
import torch

from seq2seq.layers.highway import HighwayGate, HighwayLayer

SHUT = 1e4  # a bias that no sum reaches


def fixed(gate: HighwayGate, bias: float) -> HighwayGate:
    """As open as the bias says, whatever comes in."""
    with torch.no_grad():
        gate.gate.weight.zero_()
        gate.gate.bias.fill_(bias)
    return gate


def test_a_gate_mixes_by_its_equation():
    gate, inputs, outputs = HighwayGate(3, 3), torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    t = 1 / (1 + torch.exp(-(torch.einsum("bti,oi->bto", inputs, gate.gate.weight) + gate.gate.bias)))
    torch.testing.assert_close(gate(inputs, outputs), outputs * t + inputs * (1 - t))


def test_a_gate_between_unequal_sizes_projects_what_passes_by():
    gate, inputs, outputs = HighwayGate(3, 4), torch.randn(2, 5, 3), torch.randn(2, 5, 4)
    t = torch.sigmoid(inputs @ gate.gate.weight.T + gate.gate.bias)
    torch.testing.assert_close(gate(inputs, outputs), outputs * t + (inputs @ gate.bypass.weight.T) * (1 - t))


def test_a_closed_gate_gives_the_input_and_an_open_one_the_outputs():
    inputs, outputs = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    assert torch.equal(fixed(HighwayGate(3, 3), -SHUT)(inputs, outputs), inputs)
    assert torch.equal(fixed(HighwayGate(3, 3), SHUT)(inputs, outputs), outputs)
    unequal = fixed(HighwayGate(2, 3), -SHUT)
    assert torch.equal(unequal(inputs[..., :2], outputs), unequal.bypass(inputs[..., :2]))


@pytest.mark.parametrize("sizes", [(3, 3), (3, 4)])
def test_most_of_the_input_passes_by_at_first(sizes):
    gate = HighwayGate(*sizes)
    assert torch.equal(gate.gate.bias, torch.full((sizes[1],), -2.0))
    assert [name for name, _ in gate.bypass.named_parameters()] == ["weight"] * (sizes[0] != sizes[1])


def test_a_layer_is_a_gate_around_its_transformation():
    layer, inputs = HighwayLayer(4), torch.randn(2, 5, 4)
    made = torch.clamp(inputs @ layer.transformation.weight.T + layer.transformation.bias, min=0)
    t = torch.sigmoid(inputs @ layer.gate.gate.weight.T + layer.gate.gate.bias)
    torch.testing.assert_close(layer(inputs), t * made + (1 - t) * inputs)


@pytest.mark.parametrize("sizes", [(3, 3), (2, 3)])
def test_gradients_of_a_gate(sizes):
    gate = HighwayGate(*sizes).double()
    given = [torch.randn(2, 4, size, dtype=torch.double, requires_grad=True) for size in sizes]
    assert torch.autograd.gradcheck(gate, given)


def test_gradients_of_a_layer():
    layer = HighwayLayer(3).double()
    assert torch.autograd.gradcheck(layer, torch.randn(2, 4, 3, dtype=torch.double, requires_grad=True))
