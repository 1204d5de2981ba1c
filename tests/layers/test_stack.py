import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells import LSTMCell
from seq2seq.layers.recurrent.stack import BidirectionalStack
from seq2seq.masking import length_mask

INPUT_SIZE, HIDDEN_SIZE, WIDTH = 3, 4, 6
LENGTHS = torch.tensor([4, 6, 1, 3])


def stack(num_layers=1, *, input_size=INPUT_SIZE, **options) -> BidirectionalStack:
    return BidirectionalStack(input_size, HIDDEN_SIZE, num_layers, cell=LSTMCell, **options)


def sentences(size=INPUT_SIZE) -> torch.Tensor:
    """Padding holds rubbish: nothing may depend on it."""
    return torch.randn(4, WIDTH, size, requires_grad=True)


def torch_lstm(ours: BidirectionalStack) -> nn.LSTM:
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
    ours, inputs = stack(num_layers, residual=False), sentences()
    theirs = torch_lstm(ours)
    mask = length_mask(LENGTHS, WIDTH).unsqueeze(-1)
    outputs, last = ours(inputs, LENGTHS)
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


@pytest.mark.parametrize("num_layers", [1, 3])
def test_padding_and_company_change_nothing(num_layers):
    layers, inputs = stack(num_layers), sentences()
    outputs, last = layers(inputs, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone, alone_last = layers(inputs[row : row + 1, :length], LENGTHS[row : row + 1])
        torch.testing.assert_close(alone[0], outputs[row, :length])
        torch.testing.assert_close(alone_last[0], last[row])


def test_order_changes_nothing():
    layers, inputs, order = stack(2), sentences(), torch.tensor([2, 0, 3, 1])
    outputs, last = layers(inputs, LENGTHS)
    shuffled, shuffled_last = layers(inputs[order], LENGTHS[order])
    mask = length_mask(LENGTHS, WIDTH).unsqueeze(-1)
    torch.testing.assert_close(shuffled * mask[order], (outputs * mask)[order])
    torch.testing.assert_close(shuffled_last, last[order])


def test_every_output_sees_the_whole_sentence():
    layers, inputs = stack(), sentences()
    outputs, _ = layers(inputs, LENGTHS)
    for step in range(4):
        (gradient,) = torch.autograd.grad(outputs[0, step].sum(), inputs, retain_graph=True)
        assert torch.equal(gradient.abs().sum(-1) > 0, length_mask(LENGTHS, WIDTH) & (torch.arange(4) == 0).view(4, 1))


@pytest.mark.parametrize(("num_layers", "changes"), [(1, False), (2, True), (3, True)])
def test_residual_connections_start_at_the_second_layer(num_layers, changes):
    plain, residual = stack(num_layers, residual=False), stack(num_layers, residual=True)
    residual.load_state_dict(plain.state_dict())
    inputs = sentences()
    assert torch.equal(plain(inputs, LENGTHS)[0], residual(inputs, LENGTHS)[0]) != changes


def test_residual_connection_adds_the_layer_s_input():
    both, first = stack(2), stack(1)
    first.layers[0].load_state_dict(both.layers[0].state_dict())
    inputs = sentences()
    below, _ = first(inputs, LENGTHS)
    above, last = both.layers[1](below, LENGTHS)
    outputs, outputs_last = both(inputs, LENGTHS)
    torch.testing.assert_close(outputs, above + below)
    torch.testing.assert_close(outputs_last, last)


def test_dropout_is_locked_over_time_and_off_in_evaluation():
    layers, inputs = stack(1, dropout=0.5), sentences()
    gone = layers(inputs, LENGTHS)[0].eq(0)
    assert torch.equal(gone, gone[:, :1].expand_as(gone))
    assert gone.any()
    layers.eval()
    assert layers(inputs, LENGTHS)[0].ne(0).all()


def test_output_is_as_wide_as_both_directions():
    layers = stack(2)
    assert layers(sentences(), LENGTHS)[0].shape == (4, WIDTH, layers.output_size)


def test_no_layers_are_told():
    with pytest.raises(UserError) as error:
        stack(0)
    assert str(error.value) == "num_layers must be at least 1, but is 0."
