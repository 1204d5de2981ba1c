import torch

from seq2seq.models.bridge import LastOutputBridge, ZeroBridge

SIZES = {"input_size": 6, "hidden_size": 4, "num_layers": 3}


def test_last_output_bridge_follows_its_equations():
    bridge, last = LastOutputBridge(**SIZES), torch.randn(5, 6)
    torch.nn.init.normal_(bridge.projection.bias)
    matrices = bridge.projection.weight.view(3, 2, 4, 6)
    biases = bridge.projection.bias.view(3, 2, 4)
    states = bridge(last)
    assert len(states) == 3
    for state, (w, u), (b, c) in zip(states, matrices, biases, strict=True):
        torch.testing.assert_close(state.hidden, torch.tanh(last @ w.T + b))
        torch.testing.assert_close(state.cell, last @ u.T + c)


def test_sentences_do_not_see_each_other():
    bridge, last = LastOutputBridge(**SIZES), torch.randn(5, 6)
    for alone, state in zip(bridge(last[2:3]), bridge(last), strict=True):
        torch.testing.assert_close(alone.hidden, state.hidden[2:3])
        torch.testing.assert_close(alone.cell, state.cell[2:3])


def test_zero_bridge_starts_every_layer_from_zero():
    last = torch.randn(5, 6, dtype=torch.float64)
    states = ZeroBridge(**SIZES)(last)
    assert len(states) == 3
    for state in states:
        for part in state:
            assert torch.equal(part, torch.zeros(5, 4, dtype=torch.float64))
