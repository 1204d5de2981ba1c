"""Laws of models that copy: whole targets and steps, batches, searches, ensembles, packed products."""

from copy import deepcopy

import pytest
import torch
from tiny_models import ATTENTIONS

from seq2seq.compression.packing import pack
from seq2seq.data.batch import Batch
from seq2seq.decoding.ensemble import EnsembleStepper
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.layers.copying import Pointer
from seq2seq.layers.output.full import FullOutput
from seq2seq.symbols import BOS, EOS, UNK
from seq2seq.training.feeding import Feeding
from seq2seq.training.likelihood import likelihood
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.guided_attention import GuidedAttention
from seq2seq.training.objectives.r_drop import RDrop
from seq2seq.training.scheduled_sampling import ConstantSampling

WORDS, SOURCES = 13, 12  # of the target and the source vocabulary
SENTENCES = [[5, 12, 7, 12, 8, EOS], [4, 6, EOS], [14, 5, 14, 12, EOS][:1] + [5, 9, EOS]]
SENTENCES[2][0] = 12
LIMITS = LengthLimits(max_ratio=1.0, max_extra=3)


def spelled(model):
    """The model, whose source ids 4 to 7 are the target's 6 to 9."""
    ids = torch.full((SOURCES,), -1)
    ids[EOS], ids[4:8] = EOS, torch.arange(6, 10)
    model.copying.spell(ids)
    return model


@pytest.fixture
def new_model(build_model):
    def build(seed: int = 1, **options):
        torch.manual_seed(seed)
        model = spelled(build_model(copying=Pointer, **options)).eval()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if not name.startswith("encoder"):
                    weight.mul_(2.5)
            model.output.words.get_parameter("bias" if hasattr(model.output.words, "bias") else "projection.bias")[
                EOS
            ] += 1
        return model

    return build


@pytest.fixture
def batch(padded) -> Batch:
    """Targets of words and of the source's pieces: 13 is what is first there, 14 the second."""
    source, lengths = padded(SENTENCES)
    outputs, _ = padded([[6, 14, 9, EOS], [UNK, 8, 6, 8, EOS], [13, EOS]])
    inputs = torch.cat([torch.full((3, 1), BOS), outputs[:, :-1]], 1)
    return Batch(source, lengths, inputs, outputs, 11.0)


def stepped(model, batch: Batch) -> torch.Tensor:
    """Log-probabilities of all that can be said, `batch target tokens`, step by step."""
    memory, states = model.start(batch.source, batch.source_lengths)
    found = []
    for ids in batch.target_inputs.split(1, 1):
        logits, _, states = model.step(ids, memory, states)
        found.append(logits.log_softmax(-1))
    return torch.cat(found, 1)


def unrolled(model, batch: Batch) -> torch.Tensor:
    features = model(batch.source, batch.source_lengths, batch.target_inputs).features
    return model.output.log_probabilities(features.flatten(0, 1)).unflatten(0, features.shape[:2])


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
@pytest.mark.parametrize("attention", sorted(ATTENTIONS.keys() - {"none"}))
@torch.no_grad()
def test_steps_give_what_whole_targets_give_with_every_attention(new_model, batch, attention, decoder):
    model = new_model(attention=attention, decoder=decoder)
    whole, steps = unrolled(model, batch), stepped(model, batch)
    assert whole.shape == (*batch.target_outputs.shape, WORDS + 6)
    torch.testing.assert_close(steps, whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole.exp().sum(-1), torch.ones(whole.shape[:2]))
    scores = model.token_scores(batch.target_outputs, *model.start(batch.source, batch.source_lengths))
    expected = whole.gather(-1, batch.target_outputs.unsqueeze(-1)).squeeze(-1)
    inside = batch.target_mask
    assert expected[inside].isfinite().all()
    torch.testing.assert_close(scores[inside], expected[inside], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("options", [{"halvings": 1}, {"attention": "multi_head"}, {"output": FullOutput}])
@torch.no_grad()
def test_a_sentence_is_the_same_alone_and_padded(new_model, batch, padded, options):
    model = new_model(**options)
    together = unrolled(model, batch)
    for row, sentence in enumerate(SENTENCES):
        source, lengths = padded([sentence], extra=3)
        alone = Batch(source, lengths, batch.target_inputs[[row]], batch.target_outputs[[row]], 1.0)
        found, size = unrolled(model, alone)[0], len(sentence)
        assert not found[:, WORDS + size :].isfinite().any()
        torch.testing.assert_close(found[:, : WORDS + size], together[row, :, : WORDS + size], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
@torch.no_grad()
def test_with_the_switch_at_one_it_is_the_plain_model(build_model, new_model, batch, decoder):
    copying, plain = new_model(decoder=decoder), build_model(decoder=decoder).eval()
    weights = {name.replace("output.words", "output"): weight for name, weight in copying.state_dict().items()}
    assert {name for name in weights if name not in plain.state_dict()} == {
        "copying.switch.weight",
        "copying.switch.bias",
    }
    plain.load_state_dict({name: weight for name, weight in weights.items() if name in plain.state_dict()})
    copying.copying.switch.bias.fill_(1e4)
    copying.copying.switch.weight.zero_()
    known = batch.source.where(batch.source < SOURCES, UNK)
    given = plain(known, batch.source_lengths, batch.target_inputs.where(batch.target_inputs < WORDS, UNK))
    expected = plain.output.log_probabilities(given.features.flatten(0, 1))
    found = unrolled(copying, batch).flatten(0, 1)
    assert torch.equal(found[:, :WORDS], expected)
    assert (found[:, WORDS:] < -1e3).all()


@torch.no_grad()
def test_what_was_copied_is_read_as_unknown(new_model, batch):
    model = new_model()
    memory, states = model.start(batch.source, batch.source_lengths)
    (one, *_), (other, *_) = (model.step(torch.full((3, 1), ids), memory, states) for ids in (WORDS + 1, UNK))
    assert torch.equal(one, other)


def test_without_it_nothing_is_new(build_model):
    torch.manual_seed(1)
    plain = build_model()
    drawn = torch.get_rng_state()
    torch.manual_seed(1)
    assert not any("copying" in name or "words" in name for name in plain.state_dict())
    assert build_model(copying=None).state_dict().keys() == plain.state_dict().keys()
    assert torch.equal(torch.get_rng_state(), drawn)
    torch.manual_seed(1)
    model = build_model(copying=Pointer)
    assert all(
        torch.equal(plain.state_dict()[name.replace("output.words", "output")], weight)
        for name, weight in model.state_dict().items()
        if not name.startswith("copying")
    )


SEARCHES = {
    "greedy": GreedySearch(length=LIMITS),
    "beam": BeamSearch(beam_size=4, length=LIMITS),
    "diverse beam": DiverseBeamSearch(beam_size=4, groups=2, length=LIMITS),
    "sampling": Sampling(samples=4, seed=1, length=LIMITS),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_searches_say_pieces_of_the_source_alone_and_score_them_as_forced(new_model, batch, padded, search):
    model = new_model()
    model.copying.switch.bias.data.fill_(-2.0)
    given = batch.source, batch.source_lengths
    found = search(model, *given, Request(n_best=search.width, attention=True))
    said = {index for own in found for one in own for index in one.ids}
    assert any(index >= WORDS for index in said), said
    for row, own in enumerate(found):
        for one in own:
            assert all(index - WORDS < len(SENTENCES[row]) for index in one.ids)
            target, lengths = padded([[*one.ids, EOS]])
            (forced,) = score_targets(model, *(part[[row]] for part in given), target, lengths)
            got = one.token_scores
            assert forced.token_scores[: len(got)] == pytest.approx(got, abs=1e-4)
    if isinstance(search, Sampling):
        return
    for row, sentence in enumerate(SENTENCES):  # and the same for a sentence alone
        (alone,) = search(model, *padded([sentence]), Request(n_best=search.width))
        assert [one.ids for one in alone] == [one.ids for one in found[row]]


def test_greedy_is_a_beam_of_one_and_an_ensemble_votes_on_copies(new_model, batch):
    models = [new_model(seed) for seed in (1, 2)]
    for model in models:
        model.copying.switch.bias.data.fill_(-2.0)
    given = batch.source, batch.source_lengths
    one = BeamSearch(beam_size=1, length=LIMITS)
    assert [own[0].ids for own in one(models[0], *given)] == [
        own[0].ids for own in SEARCHES["greedy"](models[0], *given)
    ]
    for average in ("probabilities", "log_probabilities"):
        ensemble = EnsembleStepper(models, average=average)
        with torch.no_grad():
            logits, *_ = ensemble.step(torch.full((3, 1), BOS), *ensemble.start(*given))
            members = torch.stack([stepped(model, batch)[:, :1] for model in models])
        mean = members.exp().mean(0).log() if average == "probabilities" else members.mean(0).log_softmax(-1)
        torch.testing.assert_close(logits.log_softmax(-1), mean, atol=1e-5, rtol=1e-5)
        found = SEARCHES["beam"](ensemble, *given, Request(n_best=4))
        assert any(index >= WORDS for own in found for one in own for index in one.ids)


@pytest.mark.parametrize("output", [FullOutput, None])
@pytest.mark.parametrize("decoder", ["luong", "bahdanau"])
@torch.no_grad()
def test_packed_models_copy(new_model, batch, decoder, output):
    model = new_model(decoder=decoder, **({"output": output} if output else {}))
    expected = stepped(model, batch)
    packed = pack(deepcopy(model))
    torch.testing.assert_close(stepped(packed, batch), expected, atol=1e-4, rtol=1e-4)
    assert type(packed.output.words).__name__ == ("FullOutput" if output else "PackedTiedOutput")


@pytest.mark.needs_int8
@pytest.mark.parametrize("output", [FullOutput, None])
@pytest.mark.parametrize("decoder", ["luong", "bahdanau"])
@torch.no_grad()
def test_rounded_models_copy(new_model, batch, decoder, output):
    model = new_model(decoder=decoder, **({"output": output} if output else {}))
    expected, said = stepped(model, batch).exp(), stepped(pack(deepcopy(model), "int8"), batch).exp()
    torch.testing.assert_close(said.sum(-1), torch.ones(said.shape[:2]))
    assert (said - expected).abs().max() < 0.1


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_objective_is_the_mixed_likelihood_with_smoothing_over_the_vocabulary(new_model, batch, smoothing):
    model = new_model()
    said = batch.of_tokens(unrolled(model, batch))
    targets = batch.of_tokens(batch.target_outputs)
    of_targets = -said.gather(1, targets.unsqueeze(1)).squeeze(1)
    of_all = -said[:, [UNK, *range(EOS, WORDS)]].mean(1)
    objective = CrossEntropy(label_smoothing=smoothing)
    loss = objective(model, batch, batch.target_inputs)
    torch.testing.assert_close(loss, ((1 - smoothing) * of_targets + smoothing * of_all).sum())
    torch.testing.assert_close(objective.likelihood, of_targets.sum().detach())
    torch.testing.assert_close(likelihood(model, batch).total, of_targets.sum())
    loss.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def test_other_terms_and_unigram_smoothing_and_r_drop_go_with_it(new_model, batch):
    model = new_model(dropout=0.1, attention="coverage").train()
    base = CrossEntropy(coverage_loss=1.0, smoothing_prior="unigram", activation_loss=1.0)
    base.prepare(torch.arange(WORDS) * (torch.arange(WORDS) != BOS))
    objective = RDrop(base=base)
    objective.check(model)
    loss = objective(model, batch, batch.target_inputs)
    assert loss.isfinite()
    loss.backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


def test_guided_attention_goes_with_it(new_model, batch):
    model, base = new_model(), CrossEntropy()
    batch.alignments = torch.eye(6)[: batch.target_outputs.shape[1]].expand(3, -1, -1)
    guided = GuidedAttention(base=base, weight=1.0)
    guided.check(model)
    assert guided(model, batch, batch.target_inputs) > base(model, batch, batch.target_inputs)


def test_mixed_precision_is_near_full_precision(new_model, batch):
    model = new_model()
    full = CrossEntropy()(model, batch, batch.target_inputs)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = CrossEntropy()(model, batch, batch.target_inputs)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, full, rtol=0.05, atol=0.0)
    mixed.backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("decoder", ["luong", "bahdanau"])
@pytest.mark.parametrize("feed", ["argmax", "sample", "mixture"])
def test_the_model_is_fed_its_own_copies(new_model, batch, feed, decoder):
    model = new_model(decoder=decoder).train()
    model.copying.switch.bias.data.fill_(-20.0)  # it copies whatever it says
    sampling = ConstantSampling(share=0.0, options=Feeding(floor=0.0, feed=feed))
    inputs = sampling.mix(model, batch, 0.0)
    ids = inputs.ids[..., 0] if feed == "mixture" else inputs
    assert (ids >= WORDS).any()
    loss = CrossEntropy()(model, batch, inputs)
    assert loss.isfinite()
    known = ids.where(ids < WORDS, UNK)
    if feed != "mixture":
        torch.testing.assert_close(CrossEntropy()(model, batch, known), loss)


def test_dropped_source_words_can_be_copied(new_model, batch):
    model = new_model(source_word_dropout=0.9).train()
    memory_places = model(batch.source, batch.source_lengths, batch.target_inputs).features[0, 0, 7 + 6 :]
    assert memory_places.tolist() == [7, WORDS + 1, 9, WORDS + 3, WORDS + 4, EOS]


def test_double_precision_gradients_of_a_whole_model(new_model, batch):
    model = new_model(embedding_size=6, encoder_size=2, encoder_layers=1, decoder_size=3).double()
    weights = [model.copying.switch.weight, model.copying.switch.bias, model.decoder.readout.projection.weight]

    def loss(*_: torch.Tensor) -> torch.Tensor:
        return CrossEntropy()(model, batch, batch.target_inputs)

    assert torch.autograd.gradcheck(loss, weights, atol=1e-6)


def test_a_table_of_the_wrong_size_is_not_taken():
    pointer = Pointer(source_vocabulary_size=5, target_vocabulary_size=6, state_size=1, memory_size=1, input_size=1)
    with pytest.raises(RuntimeError):
        pointer.spell(torch.zeros(4, dtype=torch.long))
