"""Adaptive softmax: what clusters say, by hand and beside torch's own."""

import logging
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.adaptive import AdaptiveOutput
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.symbols import BOS, EOS, PAD, UNK

VOCABULARY = 30
new = partial(AdaptiveOutput, feature_size=8, embedding=Embedding(VOCABULARY, 8))


def test_a_token_has_its_cluster_s_share_by_hand():
    """Head of UNK, EOS, 4 and one cluster of 5 and 6: odds 1 : 2 : 1 : 4, then 1 : 3."""
    output = AdaptiveOutput(feature_size=2, embedding=Embedding(7, 2), cutoffs=[5])
    with torch.no_grad():
        for weight in output.parameters():
            weight.zero_()
        output.head.bias.copy_(torch.tensor([9.0, 1, 9.0, 2, 1, 4]).log())
        output.clusters[0][1].bias.copy_(torch.tensor([1.0, 3]).log())
    expected = torch.tensor([[0, 1 / 8, 0, 2 / 8, 1 / 8, 1 / 8, 3 / 8]])
    features = torch.randn(1, 2)
    assert_close(output.log_probabilities(features).exp(), expected)
    losses = output.loss(features.expand(3, -1), torch.tensor([6, 3, 5]))
    assert_close(losses, -expected[0, [6, 3, 5]].log())


@pytest.mark.parametrize("cutoffs", [None, [4], [5, 6], [10, 29], [4, 8, 16]])
def test_probabilities_sum_to_1_and_losses_are_theirs(cutoffs):
    output = new(cutoffs=cutoffs)
    features, targets = torch.randn(40, 8), torch.randint(EOS, VOCABULARY, (40,))
    found = output.log_probabilities(features)
    assert_close(found.exp().sum(1), torch.ones(40))
    assert (found[:, [PAD, BOS]] == float("-inf")).all()
    assert found[:, [UNK, *range(EOS, VOCABULARY)]].isfinite().all()
    assert_close(output.loss(features, targets), -found.gather(1, targets.unsqueeze(1)).squeeze(1))


def test_it_is_torch_s_own_where_that_bars_nothing():
    """But for PAD and BOS, which have no share, and for the biases, which torch's clusters lack."""
    output, other = new(cutoffs=[6, 15], shrink=2.0), nn.AdaptiveLogSoftmaxWithLoss(8, VOCABULARY, [6, 15], 2.0, True)
    with torch.no_grad():
        other.head.weight.copy_(output.head.weight)
        other.head.bias.copy_(output.head.bias)
        other.head.bias[[PAD, BOS]] = -1e9
        for own, others in zip(output.clusters, other.tail, strict=True):
            others[0].weight.copy_(own[0].weight)
            others[1].weight.copy_(own[1].weight)
    features = torch.randn(12, 8)
    found, expected = output.log_probabilities(features), other.log_prob(features)
    assert_close(found[:, 3:], expected[:, 3:])


def test_smoothing_is_over_all_tokens():
    output, smoothing = new(cutoffs=[6, 15]), Smoothing(0.2)
    features, targets = torch.randn(12, 8), torch.randint(EOS, VOCABULARY, (12,))
    found = output.log_probabilities(features)
    said = found[:, [UNK, *range(EOS, VOCABULARY)]]
    own = functional.nll_loss(found, targets, reduction="sum")
    loss = output.training_loss(features, targets, smoothing)
    assert_close(loss.total, 0.8 * own - 0.2 * said.mean(1).sum())
    assert_close(loss.likelihood, own)


def test_every_weight_has_a_gradient_whatever_clusters_targets_are_in():
    output = new(cutoffs=[6, 15])
    output.loss(torch.randn(2, 8), torch.tensor([EOS, 5])).sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in output.parameters())
    assert not output.clusters[1][0].weight.grad.any()


def test_clusters_shrink_but_never_to_nothing():
    output = new(cutoffs=[5, 7, 9], shrink=4.0)
    assert [cluster[0].out_features for cluster in output.clusters] == [2, 1, 1]
    assert sum(weight.numel() for weight in output.parameters()) < 8 * 31


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cutoffs": [10, 30]}, "cutoffs must be below the vocabulary of 30 tokens, but are [10, 30]."),
        ({"cutoffs": [10, 40]}, "cutoffs must be below the vocabulary of 30 tokens, but are [10, 40]."),
        ({"cutoffs": [10, 10]}, "cutoffs must rise, the first of at least 4, but are [10, 10]."),
        ({"cutoffs": [3, 10]}, "cutoffs must rise, the first of at least 4, but are [3, 10]."),
        ({"cutoffs": []}, "cutoffs must rise, the first of at least 4, but are []."),
        ({"shrink": 0.5}, "shrink must be at least 1, but is 0.5."),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UserError) as error:
        new(**options)
    assert str(error.value) == message


def test_ids_that_are_not_in_the_order_of_frequency_are_warned_of(caplog):
    output = new(cutoffs=[10, 20])
    with caplog.at_level(logging.WARNING):
        output.prepare(torch.arange(VOCABULARY).flip(0))
        assert not caplog.messages
        output.prepare(torch.arange(VOCABULARY))
    assert caplog.messages == [
        "adaptive output: the first 10 tokens are 10 % of the targets in train, the most frequent would be 56 %, so "
        "little is saved: a unigram or word tokenizer orders them by frequency"
    ]
