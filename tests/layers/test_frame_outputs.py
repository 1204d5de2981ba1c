"""Outputs of frames have the losses and forecasts of their distributions, in the units of the data."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.frame_embedding import FrameEmbedding
from seq2seq.layers.output.frames import refuse_frame_output
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.gaussian import GaussianOutput
from seq2seq.layers.output.huber import HuberOutput
from seq2seq.layers.output.smoothing import Smoothing

KINDS = [GaussianOutput, HuberOutput]
FRAMES = np.random.default_rng(1).normal([3, -200], [2, 50], size=(500, 2)).astype(np.float32)
FEATURES = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
TARGETS = torch.from_numpy(FRAMES[:6])


def build(kind, **options):
    torch.manual_seed(2)
    output = kind(feature_size=5, embedding=FrameEmbedding(2, 4), **options)
    output.take_in(FRAMES)
    return output


def test_the_loss_is_the_negative_log_likelihood_of_a_normal_distribution():
    output = build(GaussianOutput)
    means, deviations = output.forecasts(FEATURES)
    expected = -torch.distributions.Normal(means, deviations).log_prob(TARGETS).sum(-1)
    scale = output.normalization.scale.log().sum()  # losses are of normalised frames
    assert_close(output.loss(FEATURES, TARGETS), expected - scale, rtol=1e-4, atol=1e-4)
    total, likelihood = output.training_loss(FEATURES, TARGETS, Smoothing(0.0))
    assert_close(total, output.loss(FEATURES, TARGETS).sum())
    assert_close(likelihood, total)
    assert_close(output.target_scores(FEATURES, TARGETS), -output.loss(FEATURES, TARGETS))


@pytest.mark.parametrize("delta", [0.3, 1.0])
def test_hubers_loss_is_square_near_and_straight_far(delta):
    output = build(HuberOutput, delta=delta)
    means, deviations = output.forecasts(FEATURES)
    assert deviations is None
    distance = ((means - TARGETS) / output.normalization.scale).abs()
    expected = torch.where(distance <= delta, distance**2 / 2, delta * (distance - delta / 2)).sum(-1)
    assert_close(output.loss(FEATURES, TARGETS), expected, rtol=1e-4, atol=1e-4)
    assert output.training_loss(FEATURES, TARGETS, Smoothing(0.0)).likelihood is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_units_changes_forecasts_alone(kind):
    output, other = build(kind), build(kind)
    other.take_in(FRAMES * 1000 + 7)
    assert_close(other.loss(FEATURES, TARGETS * 1000 + 7), output.loss(FEATURES, TARGETS), rtol=1e-3, atol=1e-3)
    first, second = output.forecasts(FEATURES), other.forecasts(FEATURES)
    assert_close(second.means, first.means * 1000 + 7, rtol=1e-3, atol=1e-2)
    if first.deviations is not None:
        assert_close(second.deviations, first.deviations * 1000, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_loss(kind):
    output = build(kind).double()
    features = FEATURES.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: output.loss(rows, TARGETS.double()), features)


def test_deviations_are_bounded_and_a_value_that_never_changes_is_forecast_as_it_is():
    output = build(GaussianOutput)
    output.take_in(np.full((9, 2), [4.0, -1.0], np.float32))
    with torch.no_grad():
        output.projection.bias.fill_(-1000.0)
    means, deviations = output.forecasts(FEATURES)
    assert_close(means, torch.tensor([4.0, -1.0]).expand(6, 2))
    assert not deviations.any()
    assert output.loss(FEATURES, torch.tensor([[4.0, -1.0]]).expand(6, 2)).isfinite().all()
    with torch.no_grad():
        output.projection.bias.fill_(0.0)[2:] = 1000.0
    assert_close(output._parts(output.scores(FEATURES))[1], torch.full((6, 2), 7.0))


def test_means_are_not_rounded_where_products_are():
    output = build(GaussianOutput)
    plain = output.forecasts(FEATURES).means
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(output.forecasts(FEATURES).means, plain)


def test_the_embedding_knows_the_beginning_and_the_units_of_the_output():
    embedding = FrameEmbedding(2, 4)
    GaussianOutput(feature_size=5, embedding=embedding).take_in(FRAMES)
    frames = torch.full((1, 3, 2), float("nan"))
    frames[0, 1] = torch.from_numpy(FRAMES.mean(0))
    vectors = embedding(frames)
    assert_close(vectors[0, 0], embedding.beginning)
    assert_close(vectors[0, 1], embedding.projection.bias, atol=1e-5, rtol=0)
    vectors.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in embedding.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_no_scores_of_tokens(kind):
    with pytest.raises(UserError, match="an output of frames has no scores of tokens: forecast with the model instead"):
        build(kind).logits(FEATURES)


def test_options_out_of_range_are_told():
    with pytest.raises(UserError, match="normalization must be one of standard, robust, none, but is 'log'"):
        build(GaussianOutput, normalization="log")
    with pytest.raises(UserError, match="delta must be above 0, but is 0.0"):
        build(HuberOutput, delta=0.0)


@pytest.mark.parametrize("given", [GaussianOutput, partial(HuberOutput, delta=2.0), build(GaussianOutput)])
def test_models_that_write_tokens_alone_refuse_it(given):
    with pytest.raises(UserError, match="output must be of tokens for a transducer, but is of frames: choose another."):
        refuse_frame_output(given, "a transducer")
    refuse_frame_output(partial(FullOutput), "a transducer")
