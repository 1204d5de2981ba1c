"""Sampled softmax: what is drawn, how its scores are corrected, and that it is exact where it has to be."""

import math

import pytest
import torch
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.sampling import TokenSampler
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.symbols import BOS, EOS, PAD, UNK

SIZE = 20
CPU = torch.device("cpu")
COUNTS = torch.tensor([0, 0, 0, 50, *range(16, 0, -1)])
PLAIN = Smoothing()


def outputs(kind, **options):
    """The same output in full and by samples, with biases, in double precision."""
    embedding = Embedding(SIZE, 6, multiple=8).double()
    whole, sampled = (kind(feature_size=6, embedding=embedding, **own).double() for own in ({}, options))
    torch.nn.init.normal_(sampled.bias if kind is TiedOutput else sampled.projection.bias)
    whole.load_state_dict(sampled.state_dict())
    sampled.prepare(COUNTS)
    return whole, sampled


@pytest.mark.parametrize("sampler", ["log_uniform", "unigram"])
@pytest.mark.parametrize("kind", [TiedOutput, FullOutput])
def test_with_every_token_it_is_the_whole_softmax(kind, sampler):
    whole, sampled = outputs(kind, samples=SIZE - 2, sampler=sampler)
    features = torch.randn(9, 6, dtype=torch.float64, requires_grad=True)
    targets, found = torch.randint(EOS, SIZE, (9,)), []
    for output in (whole, sampled):
        loss = output.training_loss(features, targets, PLAIN).total
        weights = [features, *output.parameters()]
        found.append([loss, *torch.autograd.grad(loss, weights)])
    for expected, own in zip(*found, strict=True):
        assert_close(own, expected, atol=1e-10, rtol=1e-10)


def test_the_loss_by_hand():
    """Scores less the logarithms of expectations; a target that is drawn, too, counts once."""
    _, output = outputs(FullOutput, samples=4)
    features, targets = torch.randn(3, 6, dtype=torch.float64), torch.tensor([5, 3, 19])
    torch.manual_seed(7)
    drawn, expected = output.sampler.draw(CPU)
    corrected = (features @ output.projection.weight.T + output.projection.bias)[:, :SIZE] - expected
    losses = []
    for row, target in zip(corrected, targets.tolist(), strict=True):
        among = {target, *drawn.tolist()}
        losses.append(row[sorted(among)].logsumexp(0) - row[target])
    torch.manual_seed(7)
    assert_close(output.training_loss(features, targets, PLAIN).total, torch.stack(losses).sum())


@pytest.mark.parametrize("sampler", ["log_uniform", "unigram"])
@pytest.mark.parametrize("samples", [1, 5, 12, 17])
def test_different_tokens_are_drawn_about_as_often_as_is_expected(sampler, samples):
    source = TokenSampler(samples, sampler, SIZE)
    source.prepare(COUNTS)
    draws = [source.draw(CPU)[0] for _ in range(3000)]
    assert all(len(set(drawn.tolist())) == samples for drawn in draws)
    found = torch.bincount(torch.cat(draws), minlength=SIZE) / 3000
    expected = source.draw(CPU)[1].exp()
    assert not found[[PAD, BOS]].any()
    said = [UNK, *range(EOS, SIZE)]
    assert float(expected[said].sum()) == pytest.approx(samples, rel=1e-5)
    # Fixed numbers of draws are no fixed times, so the expectation is not exact; it is for 1 of many, and for all.
    assert_close(found[said], expected[said], atol=0.08, rtol=0)


def test_log_uniform_is_by_the_place_in_the_vocabulary():
    source = TokenSampler(1, "log_uniform", 6)
    source.draw(CPU)
    odds = [0, math.log(3 / 2), 0, math.log(5 / 4), math.log(6 / 5), math.log(7 / 6)]
    assert_close(source._weights, torch.tensor(odds) / sum(odds))


def test_the_sum_of_corrected_exponentials_is_about_that_of_all():
    torch.manual_seed(1)
    source, scores = TokenSampler(100, "log_uniform", 2000), torch.randn(2000)
    found = []
    for _ in range(400):
        drawn, expected = source.draw(CPU)
        found.append((scores[drawn] - expected[drawn]).exp().sum())
    whole = scores[[UNK, *range(EOS, 2000)]].exp().sum()
    assert float(torch.stack(found).mean()) == pytest.approx(float(whole), rel=0.03)


def test_it_is_exact_wherever_nothing_is_learnt():
    whole, sampled = outputs(TiedOutput, samples=3)
    features, targets = torch.randn(9, 6, dtype=torch.float64), torch.randint(EOS, SIZE, (9,))
    expected = whole.training_loss(features, targets, PLAIN)
    before = torch.get_rng_state()
    assert torch.equal(sampled.loss(features, targets), whole.loss(features, targets))
    assert torch.equal(sampled.log_probabilities(features), whole.log_probabilities(features))
    assert torch.equal(sampled.eval().training_loss(features, targets, PLAIN).total, expected.total)
    assert torch.equal(torch.get_rng_state(), before)
    found = sampled.train().training_loss(features, targets, PLAIN)
    assert found.likelihood is None
    assert found.total != expected.total
    assert not torch.equal(torch.get_rng_state(), before)


def test_what_is_drawn_is_a_function_of_the_seed():
    _, output = outputs(TiedOutput, samples=3)
    features, targets, found = torch.randn(9, 6, dtype=torch.float64), torch.randint(EOS, SIZE, (9,)), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(output.training_loss(features, targets, PLAIN).total.item())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples must be at least 1, or null for all tokens, but is 0."),
        ({"samples": 19}, "samples must be at most 18, the tokens that can be said, but is 19."),
        ({"samples": 3, "sampler": "uniform"}, "sampler must be one of log_uniform, unigram, but is 'uniform'."),
        ({"sampler": "unigram"}, "sampler=unigram needs samples, but that is null: give a number of tokens."),
        (
            {"samples": 3, "normalizer": "entmax"},
            "samples must be null with normalizer=entmax, which needs all, but is 3.",
        ),
        ({"samples": 3, "chunk": 8}, "samples must be null with chunk=8, which is of all tokens, but is 3."),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UserError) as error:
        TiedOutput(feature_size=6, embedding=Embedding(SIZE, 6), **options)
    assert str(error.value) == message


def test_unigram_needs_counts_and_nothing_is_smoothed():
    output = TiedOutput(feature_size=6, embedding=Embedding(SIZE, 6), samples=3, sampler="unigram")
    given = torch.randn(2, 6), torch.tensor([4, 5])
    with pytest.raises(UserError, match="^sampler=unigram needs the counts of tokens: call prepare before the first"):
        output.training_loss(*given, PLAIN)
    with pytest.raises(UserError, match="^label_smoothing must be 0 where samples stand for all tokens"):
        output.training_loss(*given, Smoothing(0.1))
