"""Dropout of attention: one mask of the source for all steps of a target."""

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory, read
from seq2seq.symbols import BOS, EOS


def test_weights_are_dropped_and_scaled_as_values_are_read():
    memory = Memory(torch.tensor([[[1.0], [10.0], [100.0]]]), torch.zeros(1, 3, 1), torch.ones(1, 3, dtype=torch.bool))
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]])
    assert read(weights, memory).flatten().tolist() == [28.0, 10.0]
    dropped = memory._replace(kept=(torch.tensor([[2.0, 0.0, 2.0]]),))
    assert read(weights, dropped).flatten().tolist() == [51.0, 0.0]


def test_what_is_dropped_is_read_by_no_step_and_weights_are_as_without(attention, given):
    query, values, mask = given(attention)
    memory = attention.remember(values, mask)
    kept = torch.tensor([[2.0, 0.0, 2.0, 0.0, 2.0], [2.0, 0.0, 2.0, 2.0, 2.0], [2.0] * 5])
    dropped = memory._replace(kept=(kept,))
    others = torch.where(kept.unsqueeze(-1) == 0, 77.0, memory.values)
    context, weights = attention.unroll(query, dropped, attention.start(memory))
    plain, same = attention.unroll(query, memory, attention.start(memory))
    assert torch.equal(weights, same)
    assert not torch.allclose(context, plain)
    changed, _ = attention.unroll(query, dropped._replace(values=others), attention.start(memory))
    assert torch.equal(changed, context)


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_steps_and_whole_targets_drop_alike(build_model, decoder, padded):
    model = build_model(decoder=decoder, attention="general", attention_dropout=0.5)
    source, lengths = padded([[4, 5, 6, 7, EOS], [5, EOS]])
    target, _ = padded([[BOS, 4, 5], [BOS, 6]])
    memory, states = model.encode(source, lengths)
    whole = model.decoder.unroll(target, memory, states).features
    states, steps = states.of_one_hypothesis(), []
    for ids in target.split(1, 1):
        features, _, states = model.decoder.step(ids, memory, states)
        steps.append(features)
    torch.testing.assert_close(torch.cat(steps, 1), whole)
    assert model.eval().encode(source, lengths)[0].kept == ()


def test_a_probability_out_of_range_is_refused(build_model):
    with pytest.raises(UserError) as error:
        build_model(attention_dropout=1.0)
    assert str(error.value) == "attention_dropout must be at least 0 and below 1, but is 1.0."
