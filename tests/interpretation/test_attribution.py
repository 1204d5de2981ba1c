import sys
from functools import partial

import pytest
import tiny_taggers
import torch
from torch import nn

from seq2seq.errors import UserError
from seq2seq.interpretation import attribution
from seq2seq.interpretation.attribution import gradient_times_input, integrated_gradients, occlusion
from seq2seq.layers.embedding import NGramEmbedding
from seq2seq.layers.output.full import FullOutput
from seq2seq.symbols import BOS, EOS, UNK

SOURCE = torch.tensor([[5, 6, 7, 8, EOS]])
TARGET = torch.tensor([[BOS, 4, 5, EOS]])
METHODS = [integrated_gradients, gradient_times_input, occlusion]


@pytest.fixture(params=["log_probability", "logit"])
def score(request):
    return request.param


@pytest.fixture
def model(build_model, any_decoder) -> nn.Module:
    """In float64, with one table for both sides, and n-grams."""
    model = build_model(
        decoder=any_decoder,
        source_vocabulary_size=13,
        share_embeddings=True,
        dropout=0.3,
        ngrams=lambda *sizes: NGramEmbedding(*sizes, windows=[[1, 0]]),
    ).double()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.6)
    return model.train()


def by_hand(model: nn.Module, source: torch.Tensor, score: str, vectors: torch.Tensor | None = None) -> torch.Tensor:
    """Scores of the target's tokens, token by token as a search has them."""
    model.eval()
    embed = model.encoder.input.forward
    if vectors is not None:
        model.encoder.input.forward = lambda ids, lengths=None: vectors
    memory, states = model.start(source, torch.tensor([source.shape[1]]))
    model.encoder.input.forward = embed
    found = []
    for now, after in zip(TARGET[0, :-1], TARGET[0, 1:], strict=True):
        logits, _, states = model.step(now.view(1, 1), memory, states)
        logits = logits[0, 0]
        found.append((logits.log_softmax(-1) if score == "log_probability" else logits)[after])
    return torch.stack(found)


def test_integrated_gradients_are_complete(model, score):
    found = integrated_gradients(model, SOURCE, TARGET, score=score, steps=200)
    vectors = torch.zeros(1, 5, 6, dtype=torch.double)
    whole = (by_hand(model, SOURCE, score) - by_hand(model, SOURCE, score, vectors)).detach()
    assert whole.abs().min() > 1e-3
    torch.testing.assert_close(found.shares.sum(1), whole, atol=1e-4, rtol=1e-3)
    rough = integrated_gradients(model, SOURCE, TARGET, score=score, steps=1)
    assert rough.delta.abs().max() > 1e-3
    torch.testing.assert_close(rough.delta, rough.shares.sum(1) - whole)


def test_a_row_does_not_depend_on_how_many_are_taken_at_a_time(model, monkeypatch):
    together = integrated_gradients(model, SOURCE, TARGET, steps=10)
    monkeypatch.setattr(attribution, "_ROWS", 2)
    apart = integrated_gradients(model, SOURCE, TARGET, steps=10)
    torch.testing.assert_close(apart.shares, together.shares)
    torch.testing.assert_close(apart.delta, together.delta, atol=1e-9, rtol=0)


def test_more_steps_leave_a_smaller_delta(model):
    few, many = (integrated_gradients(model, SOURCE, TARGET, steps=steps).delta.abs().max() for steps in (1, 50))
    assert many < few / 10


def test_gradient_times_input_is_autograds(model, score):
    found = gradient_times_input(model, SOURCE, TARGET, score=score)
    model.eval()
    vectors = model.encoder.input(SOURCE).detach().requires_grad_()
    for row, value in enumerate(by_hand(model, SOURCE, score, vectors)):
        (gradient,) = torch.autograd.grad(value, vectors, retain_graph=True)
        torch.testing.assert_close(found.shares[row], (gradient * vectors).sum(-1)[0].detach())


def test_occlusion_is_the_difference_by_hand(model, score):
    found = occlusion(model, SOURCE, TARGET, score=score)
    whole = by_hand(model, SOURCE, score)
    for column in range(SOURCE.shape[1]):
        occluded = SOURCE.clone()
        occluded[0, column] = UNK
        expected = (whole - by_hand(model, occluded, score)).detach()
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(found.shares[:, column], expected)


@pytest.mark.parametrize("method", METHODS)
def test_a_token_without_a_probability_has_no_share_and_changes_no_other(method, score):
    """A tagger's end before its last position has none, nor has a label behind it, from any source."""
    model, source = tiny_taggers.build(), torch.tensor([[5, 6, EOS]])
    wanted = method(model, source, torch.tensor([[BOS, 4, 5, EOS]]), score=score)
    found = method(model, source, torch.tensor([[BOS, 4, EOS, 5, EOS]]), score=score)
    assert found.shares.isnan().all(1).tolist() == [False, True, True, False]
    torch.testing.assert_close(found.shares[0], wanted.shares[0])
    assert found.shares[3].isfinite().all()
    assert found.delta is None or found.delta.isnan().tolist() == [False, True, True, False]


@pytest.mark.parametrize("method", [integrated_gradients, occlusion])
def test_a_token_without_a_probability_at_the_other_end_has_no_share(build_model, method):
    """By entmax a token may lose all of its probability with the source."""
    model = build_model(output=partial(FullOutput, normalizer="entmax")).double()
    with torch.no_grad():
        model.output.projection.weight.mul_(2000)
    shares = method(model, SOURCE, TARGET).shares
    assert shares.isnan().any()
    assert not shares.isinf().any()


@pytest.mark.parametrize("method", METHODS)
def test_an_attribution_leaves_the_model_as_it_was(model, method):
    method(model, SOURCE, TARGET)
    assert all(module.training for module in model.modules())
    assert all(weight.grad is None for weight in model.parameters())
    found = method(model, SOURCE, TARGET).shares
    assert found.shape == (3, 5)
    assert not found.requires_grad
    torch.testing.assert_close(method(model.eval(), SOURCE, TARGET).shares, found)


@pytest.mark.parametrize("method", METHODS)
def test_one_sentence_and_a_known_score_are_needed(build_model, method):
    model = build_model()
    with pytest.raises(UserError) as caught:
        method(model, SOURCE, TARGET, score="loss")
    assert str(caught.value) == "score must be one of log_probability, logit, but is 'loss'."
    with pytest.raises(UserError) as caught:
        method(model, SOURCE.expand(2, -1), TARGET.expand(2, -1))
    assert str(caught.value) == (
        "An attribution is of one sentence, but there are 2 sources and 2 targets: give them one by one."
    )
    with pytest.raises(UserError, match="must be BOS and at least one token"):
        method(model, SOURCE, TARGET[:, 1:])


def test_steps_are_at_least_one(build_model):
    with pytest.raises(UserError) as caught:
        integrated_gradients(build_model(), SOURCE, TARGET, steps=0)
    assert str(caught.value) == "steps of integrated gradients must be at least 1, but is 0."


def test_missing_captum_is_told(build_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(UserError) as caught:
        integrated_gradients(build_model(), SOURCE, TARGET)
    assert str(caught.value) == "Integrated gradients need captum: pip install -e '.[interpret]'."
