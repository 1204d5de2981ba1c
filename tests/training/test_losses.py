"""Losses are sums over real target tokens, and nothing else adds to them."""

import math

import pytest
import torch
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.output import FullOutput
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import EOS
from seq2seq.training.losses import CrossEntropy

# What the model below says at every step, whatever it reads: powers of two, so that losses are multiples of log 2.
DISTRIBUTION = [1 / 32, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2]
SOURCES = [[4, 5, 6], [7], [5, 5]]
TARGETS = [[4, 5], [5, 5, 4], [4]]
# -log2 of 4, 5 and EOS is 2, 1 and 3: with EOS behind each target, (2+1+3) + (1+1+2+3) + (2+3).
BITS, TOKENS = 18, 9


@pytest.fixture
def knowing(build_model) -> Seq2Seq:
    """A model whose every distribution is DISTRIBUTION."""
    model = build_model(target_vocabulary_size=len(DISTRIBUTION), output=FullOutput)
    with torch.no_grad():
        model.output.projection.weight.zero_()
        model.output.projection.bias.copy_(torch.tensor(DISTRIBUTION).log())
    return model


def test_loss_is_the_sum_of_negative_log_likelihoods_with_eos(knowing, new_batch):
    batch = new_batch(SOURCES, TARGETS)
    loss = CrossEntropy()(knowing, batch, batch.target_inputs)
    assert_close(loss.total, torch.tensor(BITS * math.log(2)))
    assert int(loss.tokens) == TOKENS == batch.step_tokens
    assert int((batch.target_outputs == EOS).sum()) == len(TARGETS)


def test_label_smoothing_mixes_in_the_mean_over_the_vocabulary(knowing, new_batch):
    batch = new_batch(SOURCES, TARGETS)
    loss = CrossEntropy(label_smoothing=0.25)(knowing, batch, batch.target_inputs)
    mean = (5 + 5 + 4 + 3 + 2 + 1) / 6  # bits
    assert_close(loss.total, torch.tensor((0.75 * BITS + 0.25 * TOKENS * mean) * math.log(2)))


def test_likelihood_ignores_smoothing(knowing, new_batch):
    loss = CrossEntropy(label_smoothing=0.25).likelihood(knowing, new_batch(SOURCES, TARGETS))
    assert_close(loss.total, torch.tensor(BITS * math.log(2)))
    assert int(loss.tokens) == TOKENS


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_the_loss_reads_the_inputs_it_is_given(build_model, new_batch, decoder):
    model, batch = build_model(decoder=decoder), new_batch(SOURCES, TARGETS)
    other = torch.where(batch.target_inputs == 4, 7, batch.target_inputs)
    objective = CrossEntropy()
    assert not torch.isclose(objective(model, batch, other).total, objective(model, batch, batch.target_inputs).total)
    assert_close(objective(model, batch, batch.target_inputs).total, objective.likelihood(model, batch).total)


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_padding_adds_nothing_to_loss_or_gradients(build_model, new_batch, decoder):
    model = build_model(decoder=decoder)
    tight = loss_and_gradients(model, new_batch(SOURCES, TARGETS))
    wide = loss_and_gradients(model, new_batch(SOURCES, TARGETS, extra=4))
    assert_close(tight, wide)


def test_the_loss_of_a_batch_is_the_sum_of_its_sentences(build_model, new_batch):
    model = build_model()
    together = loss_and_gradients(model, new_batch(SOURCES, TARGETS))
    alone = [loss_and_gradients(model, new_batch([s], [t])) for s, t in zip(SOURCES, TARGETS, strict=True)]
    assert_close(together, {name: sum(part[name] for part in alone) for name in together})


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_a_silent_batch_has_zero_loss_and_zero_but_no_missing_gradients(
    build_model, new_batch, decoder, label_smoothing
):
    model = build_model(decoder=decoder)
    batch = new_batch(SOURCES, TARGETS, silent=True)
    loss = CrossEntropy(label_smoothing=label_smoothing)(model, batch, batch.target_inputs)
    loss.total.backward()
    assert loss.total.item() == 0
    assert loss.tokens.item() == 0
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert not weight.grad.any(), name


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_smoothing_outside_its_range_is_refused(value):
    with pytest.raises(UserError) as error:
        CrossEntropy(label_smoothing=value)
    assert str(error.value) == f"objective.label_smoothing must be at least 0 and below 1, but is {value}."


def loss_and_gradients(model: Seq2Seq, batch) -> dict[str, torch.Tensor]:
    model.zero_grad()
    total = CrossEntropy(label_smoothing=0.1)(model, batch, batch.target_inputs).total
    total.backward()
    return {"loss": total.detach()} | {name: weight.grad.clone() for name, weight in model.named_parameters()}
