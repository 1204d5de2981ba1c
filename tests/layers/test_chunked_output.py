"""Losses some rows at a time: what they are at once, to the last digits, and no table of all scores."""

from functools import partial

import pytest
import torch
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.symbols import BOS, EOS, PAD
from seq2seq.training.footprint import peak_bytes

SIZE = 19
COUNTS = torch.arange(SIZE).float().index_fill(0, torch.tensor([PAD, BOS, 7]), 0)
SMOOTHINGS = {
    "none": Smoothing(),
    "uniform": Smoothing(0.2),
    "unigram": Smoothing(0.3, COUNTS / COUNTS.sum()),
}
MADE = {
    "tied": partial(TiedOutput, feature_size=6),
    "projected": partial(TiedOutput, feature_size=4),
    "full": partial(FullOutput, feature_size=4),
}
EXACT = {"atol": 1e-10, "rtol": 1e-10}


def pair(kind, chunk, *, multiple=1, **options):
    """The same output twice, at once and in chunks, with the embedding of the first."""
    found = []
    for rows in (None, chunk):
        torch.manual_seed(2)
        embedding = Embedding(SIZE, 6, multiple=multiple).double()
        output = MADE[kind](embedding=embedding, chunk=rows, **options).double()
        torch.nn.init.normal_(output.bias if kind != "full" else output.projection.bias)
        found.append(output)
    return found


def learnt(output, rows, smoothing, *, wide):
    """The training loss, the likelihood and all gradients of the loss, scaled as a step scales it."""
    torch.manual_seed(3)
    features = torch.randn(rows, wide, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(EOS, SIZE, (rows,))
    loss = output.training_loss(features, targets, smoothing)
    (loss.total / 7).backward()
    gradients = {name: weight.grad for name, weight in output.named_parameters()}
    return {"total": loss.total.detach(), "likelihood": loss.likelihood, "features": features.grad, **gradients}


@pytest.mark.parametrize("multiple", [1, 8])
@pytest.mark.parametrize("rows", [10, 8, 1, 0])  # with a ragged last chunk, without, one row, none
@pytest.mark.parametrize("smoothing", SMOOTHINGS.values(), ids=SMOOTHINGS)
@pytest.mark.parametrize("kind", MADE)
def test_chunks_give_the_loss_and_gradients_of_all_rows(kind, smoothing, rows, multiple):
    wide = 6 if kind == "tied" else 4
    whole, chunked = (learnt(one, rows, smoothing, wide=wide) for one in pair(kind, 4, multiple=multiple))
    for name, expected in whole.items():
        assert_close(chunked[name], expected, **EXACT)
    assert whole["likelihood"].item() > 0 or rows == 0


@pytest.mark.parametrize("normalizer", ["softmax", "entmax"])
@pytest.mark.parametrize("kind", MADE)
def test_losses_of_rows_are_those_of_all_with_their_gradients(kind, normalizer):
    wide, found = 6 if kind == "tied" else 4, []
    for output in pair(kind, 4, normalizer=normalizer):
        torch.manual_seed(3)
        features = torch.randn(10, wide, dtype=torch.float64, requires_grad=True)
        losses = output.loss(features, torch.randint(EOS, SIZE, (10,)))
        (losses * torch.arange(10)).sum().backward()
        smoothed = output.training_loss(features.detach(), torch.randint(EOS, SIZE, (10,)), Smoothing(0.2)).total
        found.append([losses, smoothed, features.grad, *(weight.grad for weight in output.parameters())])
    for whole, chunked in zip(*found, strict=True):
        assert_close(chunked, whole, **EXACT)


def test_under_autocast_it_is_the_loss_at_once_but_for_rounding():
    whole, chunked = (one.float() for one in pair("full", 4))
    found = []
    for output in (whole, chunked):
        torch.manual_seed(3)
        features = torch.randn(10, 4, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16):
            loss = output.training_loss(features, torch.randint(EOS, SIZE, (10,)), SMOOTHINGS["uniform"]).total
        loss.backward()
        assert loss.dtype == features.grad.dtype == output.projection.weight.grad.dtype == torch.float32
        found.append([loss.detach(), features.grad, output.projection.weight.grad, output.projection.bias.grad])
    assert_close(found[1][0], found[0][0], atol=0, rtol=1e-6)  # scores are the same to the bit
    for at_once, in_parts in zip(*found, strict=True):
        assert_close(in_parts, at_once, atol=1e-2, rtol=1e-2)


def test_a_frozen_matrix_and_no_gradient_at_all_are_allowed():
    output = pair("full", 4)[1].requires_grad_(False)
    features = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(EOS, SIZE, (9,))
    output.training_loss(features, targets, Smoothing(0.1)).total.backward()
    assert features.grad.abs().sum() > 0
    with torch.no_grad():
        assert output.training_loss(features, targets, Smoothing(0.1)).total > 0


def test_the_peak_of_memory_is_far_below_that_of_all_scores():
    peaks = []
    for chunk in (None, 32):
        output = FullOutput(feature_size=8, embedding=Embedding(1000, 8), chunk=chunk)
        features, targets = torch.randn(512, 8, requires_grad=True), torch.randint(EOS, 1000, (512,))
        peaks.append(
            peak_bytes(
                lambda given=(output, features, targets): (
                    given[0].training_loss(given[1], given[2], Smoothing(0.1)).total.backward()
                ),
                0,
                torch.device("cpu"),
            )
        )
    scores = 4 * 512 * 1000
    assert peaks[0] > 2 * scores
    assert peaks[1] < scores / 2


def test_unasked_it_is_in_chunks_where_all_scores_would_be_many(monkeypatch):
    output = FullOutput(feature_size=4, embedding=Embedding(SIZE, 6))
    assert output.rows_at_once(1000) is None
    assert FullOutput(feature_size=4, embedding=Embedding(SIZE, 6), chunk=9).rows_at_once(9) is None
    assert output.rows_at_once((1 << 26) // SIZE) is None
    assert output.rows_at_once((1 << 26) // SIZE + 1) == 128
    features, targets = torch.randn(10, 4), torch.randint(EOS, SIZE, (10,))
    found = [output.training_loss(features, targets, Smoothing(0.1)), output.loss(features, targets)]
    monkeypatch.setattr("seq2seq.layers.output.output._MOST", 10 * SIZE - 1)
    monkeypatch.setattr("seq2seq.layers.output.output._ROWS", 3)
    held = []
    scores = output.barred
    monkeypatch.setattr(output, "barred", lambda features: held.append(len(features)) or scores(features))
    again = [output.training_loss(features, targets, Smoothing(0.1)), output.loss(features, targets)]
    assert_close(again[0].total, found[0].total)
    assert_close(again[1], found[1])
    assert held == [3, 3, 3, 1]  # of the second: the first does not ask for them


def test_no_rows_are_refused():
    with pytest.raises(UserError) as error:
        FullOutput(feature_size=4, embedding=Embedding(9, 6), chunk=0)
    assert str(error.value) == "chunk must be at least 1 row, or null, but is 0."


# ---- Columns past the vocabulary


@pytest.mark.parametrize("normalizer", ["softmax", "entmax"])
@pytest.mark.parametrize("kind", MADE)
def test_columns_past_the_vocabulary_have_no_score_no_probability_and_no_gradient(kind, normalizer):
    torch.manual_seed(2)
    embedding = Embedding(SIZE, 6, multiple=8)
    output = MADE[kind](embedding=embedding, normalizer=normalizer)
    assert embedding.vocabulary_size == SIZE
    assert {
        len(weight) for name, weight in output.named_parameters() if "projection" not in name or kind == "full"
    } == {24}
    features, targets = torch.randn(10, 6 if kind == "tied" else 4), torch.randint(EOS, SIZE, (10,))
    found = output.log_probabilities(features)
    assert found.shape == output.logits(features).shape == (10, SIZE)
    assert_close(found.exp().sum(1), torch.ones(10))
    assert output.barred(features).shape == (10, 24)
    assert (output.probabilities(output.barred(features))[:, SIZE:] == 0).all()
    for smoothing in SMOOTHINGS.values():
        output.training_loss(features, targets, smoothing).total.backward()
    for name, weight in output.named_parameters():
        if len(weight) == 24:
            assert weight.grad[4].any(), name
            assert not weight.grad[[PAD, BOS, *range(SIZE, 24)]].any(), name


def test_a_multiple_below_1_is_refused():
    with pytest.raises(UserError) as error:
        Embedding(9, 6, multiple=0)
    assert str(error.value) == "multiple must be at least 1, but is 0."
