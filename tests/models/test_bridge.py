import pytest
import torch

from seq2seq.layers.recurrent.state import HiddenState, LSTMState, StateLayout
from seq2seq.models.bridge import LastOutputBridge, StateBridge, ZeroBridge

# A layer of an LSTM, one whose memory is wider than what it puts out, and one that has no memory.
LAYOUTS = [StateLayout(LSTMState, (4, 4)), StateLayout(LSTMState, (3, 5)), StateLayout(HiddenState, (4,))]


def test_last_output_bridge_follows_its_equations():
    bridge, last = LastOutputBridge(input_size=6, layouts=LAYOUTS), torch.randn(5, 6)
    torch.nn.init.normal_(bridge.projection.bias)
    sums = iter((last @ bridge.projection.weight.T + bridge.projection.bias).split([4, 4, 3, 5, 4], -1))
    states = bridge(last)
    assert [type(state) for state in states] == [LSTMState, LSTMState, HiddenState]
    for state in states:
        torch.testing.assert_close(state.hidden, next(sums).tanh())
        if isinstance(state, LSTMState):
            torch.testing.assert_close(state.cell, next(sums))


@pytest.mark.parametrize("kind", [LastOutputBridge, ZeroBridge])
def test_sentences_do_not_see_each_other(kind):
    bridge, last = kind(input_size=6, layouts=LAYOUTS), torch.randn(5, 6)
    for alone, state in zip(bridge(last[2:3]), bridge(last), strict=True):
        torch.testing.assert_close(list(alone), [part[2:3] for part in state])


@pytest.mark.parametrize("kind", [LastOutputBridge, ZeroBridge])
def test_a_memory_starts_in_float32_whatever_the_encoder_computed_in(kind):
    bridge = kind(input_size=6, layouts=LAYOUTS)
    with torch.autocast("cpu", torch.bfloat16):
        states = bridge(torch.randn(5, 6).bfloat16())
    assert [part.dtype for state in states for part in state] == [
        torch.bfloat16,
        torch.float32,
        torch.bfloat16,
        torch.float32,
        torch.bfloat16,
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_states_are_handed_on_to_the_bit_and_in_the_types_that_they_had(dtype):
    wide = torch.promote_types(dtype, torch.float32)
    left = [
        layout.kind(*(torch.randn(5, size).to(own) for size, own in zip(layout.sizes, (dtype, wide), strict=False)))
        for layout in LAYOUTS
    ]
    bridge = StateBridge(input_size=6, layouts=LAYOUTS).to(dtype)
    for state, own in zip(bridge(torch.cat([part for one in left for part in one], -1)), left, strict=True):
        assert type(state) is type(own)
        for part, had in zip(state, own, strict=True):
            assert part.dtype == had.dtype
            assert torch.equal(part, had)


def test_zero_bridge_starts_every_layer_from_zero():
    last = torch.randn(5, 6, dtype=torch.float64)
    states = ZeroBridge(input_size=6, layouts=LAYOUTS)(last)
    for state, layout in zip(states, LAYOUTS, strict=True):
        assert type(state) is layout.kind
        for part, size in zip(state, layout.sizes, strict=True):
            assert torch.equal(part, torch.zeros(5, size, dtype=torch.float64))
