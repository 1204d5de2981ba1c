"""Attention that looks back, in every decoder: its state goes along with each hypothesis."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils import _pytree as pytree

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.symbols import BOS, EOS

SOURCES = [[4, 5, 6, 7, 8, EOS], [9, EOS], [10, 11, 4, EOS]]
BEAM = 4


@pytest.fixture(params=["location", "coverage", "monotonic"])
def attention(request):
    return request.param


@pytest.fixture(params=["luong", "gnmt", "bahdanau"])
def model(request, build_model, attention):
    """Random, with logits far enough apart for a clear choice, and EOS likely enough to end some sentences."""
    model = build_model(decoder=request.param, attention=attention).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.5)
        model.output.bias[EOS] += 1.0
    return model


def targets():
    return torch.randint(4, 13, (len(SOURCES), 5))


@torch.no_grad()
def test_unroll_equals_repeated_step_and_the_state_is_carried(model, padded):
    source, ids = padded(SOURCES), targets()
    features, weights, *_ = model(*source, ids)
    memory, states = model.start(*source)
    blank, lost = states.attention, []
    for step in range(ids.shape[1]):
        now = ids[:, step : step + 1]
        forgetful = model.decoder.step(now, memory, states._replace(attention=blank))[1]
        stepped, looked, states = model.decoder.step(now, memory, states)
        assert_close(stepped, features[:, step : step + 1])
        assert_close(looked, weights[:, step : step + 1])
        lost.append((looked - forgetful).abs().max().item())
    assert lost[0] == 0
    assert max(lost) > 1e-2, "a state that is lost must show"


def test_unroll_has_the_gradients_of_repeated_step(model, padded):
    model, source, ids = model.double(), padded(SOURCES), targets()
    features, *_ = model(*source, ids)
    readings, stepwise = torch.randn_like(features), []
    memory, states = model.start(*source)
    for now in ids.split(1, 1):
        stepped, _, states = model.decoder.step(now, memory, states)
        stepwise.append(stepped)
    wanted = [*model.encoder.parameters(), *model.decoder.parameters()]
    unrolled = torch.autograd.grad((features * readings).sum(), wanted)
    repeated = torch.autograd.grad((torch.cat(stepwise, 1) * readings).sum(), wanted)
    assert_close(unrolled, repeated)


@torch.no_grad()
def test_states_have_the_batch_first_and_hypotheses_second(model, padded):
    memory, states = model.start(*padded(SOURCES))
    for part in pytree.tree_leaves(states):
        assert part.shape[:2] == (len(SOURCES), 1)
    ids = torch.full((len(SOURCES), BEAM), BOS)
    states = pytree.tree_map(lambda part: part.repeat(1, BEAM, 1), states)
    for part in pytree.tree_leaves(model.step(ids, memory, states)[2]):
        assert part.shape[:2] == (len(SOURCES), BEAM)


@torch.no_grad()
def test_forced_scores_and_attention_are_those_of_a_beam_search(model, padded):
    """Of all hypotheses of a beam, whose states were reordered at every step."""
    found = search(model, padded, SOURCES)
    pairs = [(source, hypothesis) for source, own in zip(SOURCES, found, strict=True) for hypothesis in own]
    assert max(len(hypothesis.ids) for _, hypothesis in pairs) > 3
    said = [[*hypothesis.ids, *([EOS] if hypothesis.finished else [])] for _, hypothesis in pairs]
    features, weights, *_ = model(*padded([source for source, _ in pairs]), padded([[BOS, *ids] for ids in said])[0])
    for place, ((source, hypothesis), ids) in enumerate(zip(pairs, said, strict=True)):
        forced = -model.output.loss(features[place, : len(ids)], torch.tensor(ids))
        assert hypothesis.token_scores == pytest.approx(forced.tolist(), abs=1e-5)
        assert_close(hypothesis.attention, weights[place, : len(hypothesis.ids), : len(source)])


@torch.no_grad()
def test_a_batch_of_many_is_searched_as_each_alone(model, padded):
    together = search(model, padded, SOURCES, extra=2)
    for source, own in zip(SOURCES, together, strict=True):
        (alone,) = search(model, padded, [source])
        assert [hypothesis.ids for hypothesis in alone] == [hypothesis.ids for hypothesis in own]
        for one, other in zip(alone, own, strict=True):
            assert one.token_scores == pytest.approx(other.token_scores, abs=1e-5)
            assert_close(one.attention, other.attention)


def search(model, padded, sources, extra=0):
    """The hypotheses of a beam of every source."""
    limits = LengthLimits(max_ratio=1.0, max_extra=3)
    asked = Request(n_best=BEAM, attention=True)
    return BeamSearch(beam_size=BEAM, length=limits)(model, *padded(sources, extra), asked)
