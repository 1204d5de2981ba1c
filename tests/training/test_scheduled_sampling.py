"""Which tokens are replaced, how often, and by what."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import BOS, EOS, PAD, UNK
from seq2seq.training.feeding import Feeding
from seq2seq.training.scheduled_sampling import (
    ConstantSampling,
    ExponentialSampling,
    InverseSigmoidSampling,
    LinearSampling,
)

DECODERS = ["luong", "gnmt", "bahdanau"]
SOURCES = [[4, 5, 6, 7], [8, 9], [10, 11, 4, 6, 7], [5]]
TARGETS = [[4, 5, 6, 7], [8, 9, 10, 11, 12, 4], [5, 6], [7, 8, 9]]
FOUR_SIGMA_OF_3000 = 4 * math.sqrt(3000 * 0.7 * 0.3)


# Schedules


@pytest.mark.parametrize(
    ("sampling", "step", "spent", "truth"),
    [
        (ConstantSampling(), 5, 0.9, 0.9),
        (ConstantSampling(), 0, 0.0, 1.0),
        (LinearSampling(options=Feeding(floor=0.0)), 5, 0.0, 1.0),
        (LinearSampling(options=Feeding(floor=0.0)), 5, 0.25, 0.75),
        (LinearSampling(options=Feeding(floor=0.0)), 5, 1.0, 0.0),
        (LinearSampling(duration=0.5, options=Feeding(floor=0.0)), 5, 0.25, 0.5),
        (LinearSampling(duration=0.5, options=Feeding(floor=0.0)), 5, 0.75, 0.0),
        (LinearSampling(options=Feeding(floor=0.7)), 5, 0.25, 0.75),
        (LinearSampling(options=Feeding(floor=0.7)), 5, 0.9, 0.7),
        (ExponentialSampling(base=0.5, options=Feeding(floor=0.0)), 0, 0.9, 1.0),
        (ExponentialSampling(base=0.5, options=Feeding(floor=0.0)), 3, 0.0, 0.125),
        (ExponentialSampling(base=0.5, options=Feeding(floor=0.3)), 3, 0.0, 0.3),
        (InverseSigmoidSampling(k=9.0, options=Feeding(floor=0.0)), 0, 0.9, 1.0),
        (InverseSigmoidSampling(k=2.0, options=Feeding(floor=0.0)), 4, 0.0, 2 / (2 + math.e**2)),
        (InverseSigmoidSampling(k=2.0, options=Feeding(floor=0.5)), 4, 0.0, 0.5),
        (InverseSigmoidSampling(k=1.0, options=Feeding(floor=0.0)), 10**9, 0.0, 0.0),
    ],
)
def test_the_share_of_true_tokens(sampling, step, spent, truth):
    assert sampling.truth(step, spent) == pytest.approx(truth)


@pytest.mark.parametrize(
    ("sampling", "option", "message"),
    [
        (LinearSampling, {"duration": 0.0}, "duration must be above 0, but is 0.0."),
        (ExponentialSampling, {"base": 1.0}, "base must be above 0 and below 1, but is 1.0."),
        (ExponentialSampling, {"base": 0.0}, "base must be above 0 and below 1, but is 0.0."),
        (InverseSigmoidSampling, {"k": 0.5}, "k must be at least 1, but is 0.5."),
        (
            ConstantSampling,
            {"share": 1.0},
            "share must be at least 0 and below 1, but is 1.0: for the truth alone, choose none.",
        ),
        (ConstantSampling, {"share": 0.5}, "share must be at least the floor, 0.7, but is 0.5: lower the floor."),
        (Feeding, {"floor": -0.1}, "floor must be between 0 and 1, but is -0.1."),
        (Feeding, {"floor": 1.1}, "floor must be between 0 and 1, but is 1.1."),
        (Feeding, {"unit": "word"}, "unit must be one of token, sequence, but is word."),
        (Feeding, {"feed": "top"}, "feed must be one of argmax, sample, mixture, but is top."),
        (Feeding, {"top_k": 3}, "top_k=3 needs feed=mixture, but that is argmax: leave top_k at null."),
        (Feeding, {"top_k": 0, "feed": "mixture"}, "top_k must be at least 1, but is 0."),
        (Feeding, {"passes": 0}, "passes must be at least 1, but is 0."),
    ],
)
def test_options_outside_their_range_are_refused(sampling, option, message):
    with pytest.raises(UserError) as error:
        sampling(**option)
    assert str(error.value) == message


# Which tokens are replaced


@pytest.mark.parametrize("decoder", DECODERS)
def test_all_truth_leaves_the_inputs_untouched(build_model, new_batch, decoder):
    batch = new_batch(SOURCES, TARGETS)
    assert torch.equal(LinearSampling().mix(build_model(decoder=decoder), batch, 1.0), batch.target_inputs)


@pytest.mark.parametrize("decoder", DECODERS)
def test_no_truth_replaces_all_but_bos_and_padding(build_model, new_batch, decoder):
    batch = new_batch(SOURCES, TARGETS, extra=2)
    mixed = LinearSampling().mix(saying(build_model, decoder, UNK), batch, 0.0)
    kept = (batch.target_inputs == BOS) | (batch.target_inputs == PAD)
    assert torch.equal(mixed, torch.where(kept, batch.target_inputs, UNK))


@pytest.mark.parametrize("decoder", DECODERS)
def test_each_token_is_replaced_by_a_coin_of_its_own(build_model, new_batch, decoder):
    batch = new_batch([[4]] * 600, [[5, 6, 7, 8, 9]] * 600)
    replaced = LinearSampling().mix(saying(build_model, decoder, UNK), batch, 0.7) == UNK
    tokens = replaced[:, 1:]
    assert tokens.numel() == 3000  # five true tokens; EOS is never an input
    assert abs(int(tokens.sum()) - 900) < FOUR_SIGMA_OF_3000
    # Coins per sentence would replace 180 sentences as a whole, coins per token 600 * 0.3 ** 5 = 1.5.
    assert int(tokens.all(1).sum()) < 12
    for place in range(5):
        assert abs(int(tokens[:, place].sum()) - 180) < 4 * math.sqrt(600 * 0.7 * 0.3)


# By what they are replaced


@pytest.mark.parametrize("decoder", ["luong", "gnmt"])
@pytest.mark.parametrize("truth", [0.0, 0.5])
def test_whole_target_decoders_predict_from_the_true_prefix(build_model, new_batch, decoder, truth):
    model, batch = talkative(build_model, decoder), new_batch(SOURCES, TARGETS)
    mixed = LinearSampling().mix(model, batch, truth)
    assert_continues(model, batch, mixed, prefixes=batch.target_inputs, all_of_them=truth == 0)


@pytest.mark.parametrize("truth", [0.0, 0.5])
def test_with_input_feeding_each_prediction_continues_the_mixed_prefix(build_model, new_batch, truth):
    model, batch = talkative(build_model, "bahdanau"), new_batch(SOURCES, TARGETS)
    mixed = LinearSampling().mix(model, batch, truth)
    assert_continues(model, batch, mixed, prefixes=mixed, all_of_them=truth == 0)
    with pytest.raises(AssertionError):  # so the test can tell the two prefixes apart
        assert_continues(model, batch, mixed, prefixes=batch.target_inputs, all_of_them=truth == 0)


@pytest.mark.parametrize("decoder", DECODERS)
def test_sampling_draws_from_the_models_distribution(build_model, new_batch, decoder):
    chances = torch.tensor([0.0, 0.1, 0.0, 0.0, 0.2, 0.3, 0.4])
    model = saying_by_chance(build_model, decoder, chances)
    batch = new_batch([[4]] * 600, [[5, 6, 5, 6, 5]] * 600)
    counts = (
        LinearSampling(options=Feeding(feed="sample"))
        .mix(model, batch, 0.0)[:, 1:]
        .flatten()
        .bincount(minlength=len(chances))
    )
    expected = 3000 * chances
    assert not counts[[PAD, BOS, EOS]].any()
    assert ((counts - expected).abs() <= 4 * (expected * (1 - chances)).sqrt()).all()


def test_the_likeliest_token_is_taken_unless_sample_is_set(build_model, new_batch):
    model, batch = talkative(build_model, "luong"), new_batch(SOURCES, TARGETS)
    taken = [LinearSampling().mix(model, batch, 0.0) for _ in range(2)]
    drawn = [LinearSampling(options=Feeding(feed="sample")).mix(model, batch, 0.0) for _ in range(2)]
    assert torch.equal(*taken)
    assert not torch.equal(*drawn)


@pytest.mark.parametrize("decoder", DECODERS)
def test_mixing_leaves_no_trace_on_model_or_batch(build_model, new_batch, decoder):
    model, batch = build_model(decoder=decoder), new_batch(SOURCES, TARGETS)
    before = batch.target_inputs.clone()
    mixed = LinearSampling().mix(model, batch, 0.0)
    assert torch.equal(batch.target_inputs, before)
    assert not mixed.requires_grad
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())


def saying(build_model, decoder: str, token: int) -> Seq2Seq:
    """A model that finds one token likeliest, always."""
    model = build_model(decoder=decoder)
    with torch.no_grad():
        model.output.bias[token] = 1e4
    return model


def saying_by_chance(build_model, decoder: str, chances: Tensor) -> Seq2Seq:
    """A model that gives every token its chance, always, and finds EOS likeliest of all."""
    model = build_model(decoder=decoder, target_vocabulary_size=len(chances), output=FullOutput)
    with torch.no_grad():
        model.output.projection.weight.zero_()
        model.output.projection.bias.copy_(chances.log())
        model.output.projection.bias[EOS] = 9.0
    return model


def talkative(build_model, decoder: str, **options) -> Seq2Seq:
    """A model whose likeliest token hangs on all that it has read, and is never PAD."""
    model = build_model(decoder=decoder, output=FullOutput, **options)
    with torch.no_grad():
        for embedding in (model.encoder.input.embedding, model.decoder.embedding):
            embedding.table.weight.mul_(6)
        model.output.projection.weight.mul_(4)
        model.output.projection.bias[PAD] = -1e4
    return model


def assert_continues(model: Seq2Seq, batch: Batch, mixed: Tensor, *, prefixes: Tensor, all_of_them: bool) -> None:
    """Every token of `mixed` that is not the true one is the likeliest after its prefix, PAD, BOS and EOS left out."""
    changed = 0
    for row in range(len(mixed)):
        source = batch.source[row : row + 1, : batch.source_lengths[row]]
        for place in range(1, int((batch.target_inputs[row] != PAD).sum())):
            prefix = prefixes[row : row + 1, :place]
            with torch.no_grad():
                features, *_ = model(source, batch.source_lengths[row : row + 1], prefix)
                logits = model.output.logits(features[:, -1])
                likeliest = logits.index_fill(-1, torch.tensor([PAD, BOS, EOS]), float("-inf")).argmax(-1)
            if all_of_them or mixed[row, place] != batch.target_inputs[row, place]:
                assert mixed[row, place] == likeliest
                changed += int(likeliest != batch.target_inputs[row, place])
    assert changed > 3


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("feed", ["argmax", "sample"])
def test_what_no_search_feeds_is_never_fed_back(build_model, new_batch, decoder, feed):
    model = build_model(decoder=decoder, output=FullOutput)
    with torch.no_grad():
        model.output.projection.bias[[PAD, BOS, EOS]] = 50.0
    batch = new_batch(SOURCES, TARGETS)
    mixed = LinearSampling(options=Feeding(feed=feed)).mix(model, batch, 0.0)
    assert torch.equal(mixed == PAD, batch.target_inputs == PAD)
    assert torch.equal(mixed == BOS, batch.target_inputs == BOS)
    assert not (mixed == EOS).any()


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_model_predicts_as_it_translates(build_model, new_batch, decoder):
    """Without dropout, zoneout or dropped weights, which differ from draw to draw."""
    noise = GatedCellOptions(regularization=Regularization(zoneout_hidden=0.5, weight_drop=0.5))
    model = talkative(
        build_model,
        decoder,
        dropout=0.5,
        decoder_dropout=0.5,
        encoder_dropout=0.5,
        cell=partial(LSTMCell, options=noise),
    )
    batch = new_batch(SOURCES, TARGETS)
    mixed = LinearSampling().mix(model, batch, 0.0)
    assert torch.equal(LinearSampling().mix(model, batch, 0.0), mixed)
    assert all(module.training for module in model.modules())
    assert_continues(
        model.eval(), batch, mixed, prefixes=mixed if decoder == "bahdanau" else batch.target_inputs, all_of_them=True
    )


# Coins of sequences, several passes, mixtures


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_coin_of_a_sequence_is_for_all_of_it(build_model, new_batch, decoder):
    batch = new_batch([[4]] * 600, [[5, 6, 7, 8, 9]] * 600)
    sampling = LinearSampling(options=Feeding(unit="sequence"))
    tokens = (sampling.mix(saying(build_model, decoder, UNK), batch, 0.7) == UNK)[:, 1:]
    assert torch.equal(tokens.all(1), tokens.any(1))
    assert abs(int(tokens.all(1).sum()) - 180) < 4 * math.sqrt(600 * 0.7 * 0.3)


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_each_pass_predicts_from_the_inputs_of_the_one_before(build_model, new_batch, passes):
    model, batch = talkative(build_model, "luong"), new_batch(SOURCES, TARGETS)
    before = batch.target_inputs
    for done in range(1, passes + 1):
        mixed = LinearSampling(options=Feeding(passes=done)).mix(model, batch, 0.0)
        assert_continues(model, batch, mixed, prefixes=before, all_of_them=True)
        assert not torch.equal(mixed, before)
        before = mixed


def test_as_many_passes_as_tokens_are_what_input_by_input_gives(build_model, new_batch):
    """Errors reach one token further back with each pass, and in the end all the way."""
    model, batch = talkative(build_model, "luong"), new_batch(SOURCES, TARGETS)
    longest = batch.target_inputs.shape[1]
    mixed = LinearSampling(options=Feeding(passes=longest)).mix(model, batch, 0.0)
    assert_continues(model, batch, mixed, prefixes=mixed, all_of_them=True)


def test_passes_are_refused_with_input_feeding(build_model):
    with pytest.raises(UserError) as error:
        Feeding(passes=2).check(build_model(decoder="bahdanau"))
    message = "passes must be 1 with input feeding, which reads its own tokens one by one, but is 2."
    assert str(error.value) == message
    Feeding(passes=2).check(build_model(decoder="luong"))


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_mixture_is_of_the_likeliest_by_their_probabilities_among_themselves(build_model, new_batch, decoder):
    chances = torch.tensor([0.0, 0.1, 0.0, 0.0, 0.2, 0.3, 0.4])
    model = saying_by_chance(build_model, decoder, chances)
    batch = new_batch([[4], [5, 6]], [[5, 6, 4], [4]])
    mixed = LinearSampling(options=Feeding(feed="mixture", top_k=2)).mix(model, batch, 0.0)
    words = (batch.target_inputs != PAD) & (batch.target_inputs != BOS)
    assert mixed.ids[words].unique(dim=0).tolist() == [[6, 5]]
    torch.testing.assert_close(mixed.weights[words], torch.tensor([[4 / 7, 3 / 7]]).expand(int(words.sum()), 2))
    assert torch.equal(mixed.ids[~words][:, 0], batch.target_inputs[~words])
    assert (mixed.weights[~words] == torch.tensor([1.0, 0.0])).all()
    table = model.decoder.embedding.table.weight
    torch.testing.assert_close(model.decoder.embedding(mixed)[words][0], (4 * table[6] + 3 * table[5]) / 7)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_mixture_of_one_is_the_likeliest(build_model, new_batch, decoder):
    model, batch = talkative(build_model, decoder), new_batch(SOURCES, TARGETS)
    one = LinearSampling(options=Feeding(feed="mixture", top_k=1)).mix(model, batch, 0.0)
    likeliest = LinearSampling().mix(model, batch, 0.0)
    assert torch.equal(one.ids[..., 0], likeliest)
    given = batch.source, batch.source_lengths
    torch.testing.assert_close(model(*given, one).features, model(*given, likeliest).features)


def test_words_of_a_mixture_are_dropped_with_it(build_model, new_batch):
    model, batch = talkative(build_model, "luong", target_word_dropout=0.999), new_batch(SOURCES, TARGETS)
    mixed = LinearSampling(options=Feeding(feed="mixture")).mix(model, batch, 0.0)
    dropped = model.target_words(mixed)
    words = (batch.target_inputs != PAD) & (batch.target_inputs != BOS)
    assert (dropped.ids[words] == UNK).float().mean() > 0.9
    assert torch.equal(dropped.ids[~words], mixed.ids[~words])
