"""Every output in a whole model: in searches, forced scores, ensembles, packed, and looked at."""

import itertools
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from seq2seq.compression.packing import PackedTiedOutput, pack
from seq2seq.compression.prepared import Int8Linear
from seq2seq.decoding.ensemble import EnsembleStepper
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import SumRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.interpretation.attribution import gradient_times_input, occlusion
from seq2seq.interpretation.trace import trace
from seq2seq.layers.output.adaptive import AdaptiveOutput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.mixture import MixtureOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.models.cost import multiply_accumulates
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import BOS, EOS, UNK

OUTPUTS = {
    "in chunks": partial(TiedOutput, chunk=2),
    "sampled": partial(FullOutput, samples=3),
    "adaptive": partial(AdaptiveOutput, cutoffs=[5, 6], shrink=2.0),
    "mixture": partial(MixtureOutput, components=3),
    "mixture of its own": partial(MixtureOutput, components=2, tied=False),
}
SENTENCES = [[4, 5, 6, EOS], [7, EOS], [5, 5, EOS]]
SAID = [UNK, 4, 5, 6, 7]
SIZE = 8
SPACE = [list(ids) for length in range(3) for ids in itertools.product(SAID, repeat=length)]


@pytest.fixture(params=OUTPUTS)
def output(request):
    return OUTPUTS[request.param]


@pytest.fixture
def model(build_model, output) -> Seq2Seq:
    torch.manual_seed(3)
    model = build_model(target_vocabulary_size=SIZE, output=output).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.uniform_(-1, 1)
    return model


def forced(model, source, lengths, space):
    """Scores of every target of a space for every sentence."""
    found = []
    for ids in space:
        target = torch.tensor([[*ids, EOS]]).expand(len(source), -1)
        found.append(
            [
                one.score
                for one in score_targets(model, source, lengths, target, torch.tensor([len(ids) + 1] * len(source)))
            ]
        )
    return torch.tensor(found).T  # (sentence, target)


def test_a_wide_beam_finds_the_best_of_the_whole_space(model, padded):
    source, lengths = padded(SENTENCES)
    search = BeamSearch(
        beam_size=40, ranking=SumRanking(), length=LengthLimits(max_ratio=0.0, max_extra=3), patience=None
    )
    scores = forced(model, source, lengths, SPACE)
    for own, expected in zip(search(model, source, lengths, Request(n_best=40)), scores, strict=True):
        finished = {tuple(one.ids): one.score for one in own if one.finished}
        best = SPACE[int(expected.argmax())]
        assert max(finished, key=finished.__getitem__) == tuple(best)
        assert len(finished) > 5
        for ids, score in finished.items():
            assert score == pytest.approx(float(expected[SPACE.index(list(ids))]), abs=1e-4)


def test_samples_are_of_the_probabilities(model, padded):
    source, lengths = padded(SENTENCES[:1])
    found = Sampling(samples=4000, length=LengthLimits(max_ratio=0.0, max_extra=3), seed=1)(
        model, source, lengths, Request(n_best=4000)
    )
    ended = sum(not one.ids for one in found[0]) / 4000
    assert ended == pytest.approx(float(forced(model, source, lengths, [[]]).exp()), abs=0.03)


@pytest.mark.parametrize("average", ["log_probabilities", "probabilities"])
def test_it_votes_with_others(model, build_model, padded, average):
    other = build_model(target_vocabulary_size=SIZE).eval()
    source, lengths = padded(SENTENCES)
    together = EnsembleStepper([model, other], average=average)
    ids, found = torch.full((3, 1), BOS), []
    for stepper in (model, other, together):
        memory, states = stepper.start(source, lengths)
        with torch.no_grad():
            found.append(stepper.step(ids, memory, states)[0].float().log_softmax(-1))
    said = found[2].log_softmax(-1).exp()
    parts = torch.stack(found[:2])
    expected = parts.exp().mean(0) if average == "probabilities" else parts.mean(0).softmax(-1)
    assert_close(said, expected)


@pytest.mark.parametrize("precision", ["float32", pytest.param("int8", marks=pytest.mark.needs_int8)])
def test_it_says_the_same_packed(build_model, output, padded, precision, monkeypatch):
    monkeypatch.setattr("seq2seq.compression.prepared._SMALL", 0)
    found = []
    for packed in (False, True):
        torch.manual_seed(3)
        model = build_model(target_vocabulary_size=SIZE, output=output).eval()
        model = pack(model, precision) if packed else model
        found.append(forced(model, *padded(SENTENCES), SPACE))
    assert_close(found[1], found[0], atol={"float32": 1e-4, "int8": 0.15}[precision], rtol=0)
    if isinstance(model.output, MixtureOutput) and isinstance(model.output.words, TiedOutput):
        assert isinstance(model.output.words, PackedTiedOutput)
        assert isinstance(model.output.words.product, Int8Linear) == (precision == "int8")


def test_it_can_be_looked_at(model):
    source, target = torch.tensor([SENTENCES[0]]), torch.tensor([[BOS, 4, 7, EOS]])
    seen = trace(model, source, torch.tensor([4]), target)
    scores = score_targets(model, source, torch.tensor([4]), target[:, 1:], torch.tensor([3]))[0]
    assert_close(seen.log_probabilities[0], torch.tensor(scores.token_scores), atol=1e-5, rtol=1e-5)
    for method in (gradient_times_input, occlusion):
        for score in ("log_probability", "logit"):
            assert method(model, source, target, score=score).shares.isfinite().all()
    assert multiply_accumulates(model, torch.tensor([4]), torch.tensor([3])) > 0


@pytest.mark.parametrize("kind", [TiedOutput, FullOutput, MixtureOutput, AdaptiveOutput])
def test_tables_of_a_round_size_say_what_others_say(build_model, padded, kind):
    """With the weights of tokens alike, whatever the others hold; also packed."""
    found, plain = [], build_model(target_vocabulary_size=SIZE, output=kind).eval().state_dict()
    for multiple in (1, 64):
        model = build_model(target_vocabulary_size=SIZE, output=kind, vocabulary_multiple=multiple).eval()
        with torch.no_grad():
            for name, weight in model.state_dict().items():
                weight.fill_(9.0)[tuple(map(slice, plain[name].shape))] = plain[name]
        assert len(model.decoder.embedding.table.weight) == max(SIZE, multiple)
        assert model.output.log_probabilities(torch.randn(2, 6)).shape == (2, SIZE)
        found.append(forced(model, *padded(SENTENCES), SPACE))
        found.append(forced(pack(model), *padded(SENTENCES), SPACE))
    for other in found[1:]:
        assert_close(other, found[0], atol=1e-4, rtol=0)
