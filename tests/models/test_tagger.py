"""A tagger: a label for each position, surely an end behind the last, and nothing read of what was written."""

import pytest
import torch
from tiny_taggers import build

from seq2seq.decoding.ensemble import EnsembleStepper
from seq2seq.decoding.frame_session import FrameSession
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.decoding.simultaneous import Session, WaitKPolicy
from seq2seq.errors import UserError
from seq2seq.layers.inputs.frames import FrameInput
from seq2seq.layers.output.adaptive import AdaptiveOutput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.gaussian import GaussianOutput
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.models.reading import GrowingReader
from seq2seq.symbols import BOS, EOS, PAD, UNK

SENTENCES = [[4, 5, 6, 7], [8], [9, 4]]
LABELS = [[5, 6, 5, 7], [8], [5, 5]]
SERIES = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.double)
SIZES = torch.tensor([5, 2, 3])


def padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows)) + 1
    ids = [[*row, EOS, *[PAD] * (width - len(row) - 1)] for row in rows]
    return torch.tensor(ids), torch.tensor([len(row) + 1 for row in rows])


def begun(target: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.full_like(target[:, :1], BOS), target[:, :-1]], 1)


SOURCE, LENGTHS = padded(SENTENCES)
TARGET, TARGET_LENGTHS = padded(LABELS)


def frames_tagger(**options):
    return build(source_size=2, input=FrameInput, **options)


@pytest.mark.parametrize("output", [FullOutput, AdaptiveOutput])
def test_a_label_is_a_softmax_of_the_output_at_its_position(output):
    model = build(output=output, size=40).eval()
    features = model(SOURCE, LENGTHS, begun(TARGET)).features
    values = model.encoder(SOURCE, LENGTHS).values
    expected = model.decoder.readout(model.decoder.hidden(values).tanh(), values)
    inner = torch.arange(5) < LENGTHS.unsqueeze(1) - 1
    torch.testing.assert_close(features[..., :-1][inner], expected[inner])
    own = model.output.scored.log_probabilities(expected[inner]).exp()
    own[:, EOS] = 0
    torch.testing.assert_close(model.output.log_probabilities(features[inner]).exp(), own / own.sum(1, keepdim=True))


@pytest.mark.parametrize("build_one", [build, frames_tagger])
def test_the_end_is_sure_behind_the_last_position_and_nowhere_before(build_one):
    model = build_one().eval()
    source, lengths = (SERIES, SIZES) if model.encoder.input.frames else (SOURCE, LENGTHS)
    units = SIZES if model.encoder.input.frames else LENGTHS - 1
    features = model(source, lengths, torch.full((3, 6), UNK)).features
    ends = model.output.log_probabilities(features.flatten(0, 1)).exp()[:, EOS].unflatten(0, (3, 6))
    behind = torch.arange(6) >= units.unsqueeze(1)
    assert torch.equal(ends, behind.to(ends.dtype))


def test_a_unroll_is_its_steps_and_the_forced_score_that_of_the_search():
    model = build().eval()
    memory, states = model.start(SOURCE, LENGTHS)
    found = []
    for ids in begun(TARGET).split(1, 1):
        logits, _, states = model.step(ids, memory, states)
        found.append(logits.log_softmax(-1).squeeze(1))
    whole = model(SOURCE, LENGTHS, begun(TARGET))
    expected = model.output.log_probabilities(whole.features.flatten(0, 1)).unflatten(0, TARGET.shape)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(torch.stack(found, 1)[row, :length], expected[row, :length])
    assert torch.equal(whole.weights.sum(-1), torch.ones(3, 5).to(whole.weights))
    for hypothesis, ids in zip(score_targets(model, SOURCE, LENGTHS, TARGET, TARGET_LENGTHS), LABELS, strict=True):
        assert hypothesis.ids == ids
        assert hypothesis.token_scores[-1] == pytest.approx(0, abs=1e-6)


def test_greedy_finds_the_likeliest_labels_as_many_as_there_are_positions():
    model = build().eval()
    greedy, beam = (search(model, SOURCE, LENGTHS) for search in (GreedySearch(), BeamSearch(beam_size=3)))
    features = model(SOURCE, LENGTHS, begun(TARGET)).features
    scores = model.output.log_probabilities(features.flatten(0, 1)).unflatten(0, TARGET.shape)
    scores[..., UNK] = float("-inf")
    best = scores.argmax(-1)
    for row, (own, other) in enumerate(zip(greedy, beam, strict=True)):
        assert own[0].ids == other[0].ids == best[row, : len(SENTENCES[row])].tolist()


class Stepwise:
    """A stepper that has a model's steps alone."""

    says_unknown = False

    def __init__(self, model):
        self.start, self.step = model.start, model.step


@pytest.mark.parametrize("maximum", [None, 3])
@pytest.mark.parametrize("build_one", [build, frames_tagger])
def test_labels_at_once_are_those_step_by_step_and_those_of_a_source_alone(build_one, maximum, monkeypatch):
    model, search = build_one().eval(), GreedySearch(length=LengthLimits(maximum=maximum))
    source, lengths = (SERIES, SIZES) if model.encoder.input.frames else (SOURCE, LENGTHS)
    expected = search(Stepwise(model), source, lengths)
    monkeypatch.setattr("seq2seq.models.tagger._ROWS", 4)
    monkeypatch.setattr(model, "step", None)
    together = search(model, source, lengths)
    assert {one.finished for (one,) in together} == ({True} if maximum is None else {False, True})
    for row, ((own,), (other,)) in enumerate(zip(together, expected, strict=True)):
        ((alone,),) = search(model, source[row : row + 1, : lengths[row]], lengths[row : row + 1])
        for same in (other, alone):
            assert (own.ids, own.finished) == (same.ids, same.finished)
            assert own.token_scores == pytest.approx(same.token_scores, abs=1e-5)
            assert (own.score, own.rank_score) == pytest.approx((same.score, same.rank_score), abs=1e-5)


@pytest.mark.parametrize(
    "search", [GreedySearch(), BeamSearch(beam_size=3), Sampling(samples=4)], ids=["greedy", "beam", "sampling"]
)
def test_an_unknown_label_is_never_said_though_it_be_the_likeliest(search):
    model = build(direction="forward").eval()
    with torch.no_grad():
        model.output.scored.projection.bias[UNK] = 9.0
    for stepper in (model, Stepwise(model), EnsembleStepper([model, model])):
        found = search(stepper, SOURCE, LENGTHS, Request(search.width))
        assert not any(UNK in one.ids for own in found for one in own)
        assert all(one.score < -3 for own in found for one in own)  # what the model gives it, not another measure
    mine = Session(GrowingReader(model), WaitKPolicy(k=1), GreedySearch())
    written = [label for token in SENTENCES[0] for label in mine.feed([token])] + mine.end()
    assert len(written) == len(SENTENCES[0])
    assert UNK not in written


def test_nothing_that_was_written_is_read():
    model = build().eval()
    others = torch.randint(4, 9, TARGET.shape)
    assert torch.equal(model(SOURCE, LENGTHS, begun(TARGET)).features, model(SOURCE, LENGTHS, others).features)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("direction", ["forward", "both"])
@pytest.mark.parametrize("build_one", [build, frames_tagger])
def test_neighbours_and_padding_change_nothing(build_one, direction, cell):
    kind = {"cell": GRUCell} if cell == "gru" else {}
    model = build_one(direction=direction, **kind).eval()
    source, lengths = (SERIES, SIZES) if model.encoder.input.frames else (SOURCE, LENGTHS)
    together = model(source, lengths, begun(TARGET)).features
    for row, length in enumerate(lengths.tolist()):
        alone = model(source[row : row + 1, :length], lengths[row : row + 1], begun(TARGET)[row : row + 1, :length])
        torch.testing.assert_close(together[row, :length], alone.features[0])


def test_what_comes_later_changes_no_label_of_a_one_way_tagger_and_those_of_another():
    changed = SOURCE.clone()
    changed[0, 3] = 9
    for direction, same in (("forward", True), ("both", False)):
        model = build(direction=direction).eval()
        before, after = (model(ids, LENGTHS, begun(TARGET)).features[0, :3] for ids in (SOURCE, changed))
        assert torch.equal(before, after) is same


@pytest.mark.parametrize("window", [None, 1, 3])
def test_labels_that_come_while_frames_do_are_those_of_the_whole_series(window):
    model = frames_tagger(direction="forward").eval()
    ((offline, *_),) = GreedySearch()(model, SERIES[:1], SIZES[:1])
    mine = FrameSession(GrowingReader(model, window=window), WaitKPolicy(k=1, window=window), GreedySearch())
    found = [mine.feed_frames(frame[None]) for frame in SERIES[0]]
    assert [len(labels) for labels in found] == [1] * 5  # each as its frame comes
    assert [label for labels in found for label in labels] + mine.end() == offline.ids


def test_a_label_of_text_comes_with_the_token_behind_its_own():
    model = build(direction="forward").eval()
    ((offline, *_),) = GreedySearch()(model, SOURCE[:1], LENGTHS[:1])
    mine = Session(GrowingReader(model), WaitKPolicy(k=1), GreedySearch())
    found = [mine.feed([token]) for token in SENTENCES[0]]
    assert [len(labels) for labels in found] == [0, 1, 1, 1]
    assert [label for labels in found for label in labels] + mine.end() == offline.ids


def test_every_weight_learns_and_smoothing_is_finite():
    model = build()
    outputs = model(SOURCE, LENGTHS, begun(TARGET))
    kept = (TARGET != PAD).flatten()
    rows = outputs.features.flatten(0, 1)[kept], TARGET.flatten()[kept]
    plain, smooth = (model.output.training_loss(*rows, Smoothing(amount)).total for amount in (0.0, 0.1))
    assert smooth.isfinite()
    assert smooth != plain
    smooth.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def test_frames_are_told_of_each_position():
    model = frames_tagger(size=3, output=GaussianOutput).eval()
    features = model(SERIES, SIZES, SERIES.new_full((3, 5, 3), float("nan"))).features
    assert features.shape == (3, 5, 6)
    assert model.output.forecasts(features.flatten(0, 1)).means.shape == (15, 3)


REFUSED = {
    "output must be full or adaptive for a tagger, whose labels have no vectors": {"output": TiedOutput},
    "share_embeddings must be false for a tagger": {"options": {"share_embeddings": True}},
    "target_word_dropout must be 0 for a tagger, which reads no labels, but is 0.1": {
        "options": {"target_word_dropout": 0.1}
    },
    "halvings and stride must leave a tagger a value for every position": {"num_layers": 2, "halvings": 1},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_tagger_cannot_have_is_refused(message):
    with pytest.raises(UserError, match=message):
        build(**REFUSED[message])
