"""Losses are sums over real target tokens, and nothing else adds to them."""

import math

import pytest
import torch
from torch.testing import assert_close

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.full import FullOutput
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import EOS
from seq2seq.training.likelihood import likelihood
from seq2seq.training.objectives.cross_entropy import CrossEntropy, changes

# What the model below says at every step, whatever it reads: powers of two, so that losses are multiples of log 2.
# UNK, EOS, 4 and 5 make up all that can be said; PAD and BOS, in between, have scores that do not count.
DISTRIBUTION = [1 / 32, 1 / 8, 1 / 16, 1 / 8, 1 / 4, 1 / 2]
SOURCES = [[4, 5, 6], [7], [5, 5]]
TARGETS = [[4, 5], [5, 5, 4], [4]]
# -log2 of 4, 5 and EOS is 2, 1 and 3: with EOS behind each target, (2+1+3) + (1+1+2+3) + (2+3).
BITS, TOKENS = 18, 9


@pytest.fixture
def knowing(build_model) -> Seq2Seq:
    """A model whose every distribution is DISTRIBUTION."""
    model = build_model(target_vocabulary_size=len(DISTRIBUTION), output=FullOutput)
    with torch.no_grad():
        model.output.projection.weight.zero_()
        model.output.projection.bias.copy_(torch.tensor(DISTRIBUTION).log())
    return model


def test_loss_is_the_sum_of_negative_log_likelihoods_with_eos(knowing, new_batch):
    batch = new_batch(SOURCES, TARGETS)
    loss = CrossEntropy(label_smoothing=0.0)(knowing, batch, batch.target_inputs)
    assert_close(loss, torch.tensor(BITS * math.log(2)))
    assert int(batch.target_mask.sum()) == TOKENS == batch.step_tokens
    assert int((batch.target_outputs == EOS).sum()) == len(TARGETS)


def test_label_smoothing_mixes_in_the_mean_over_all_that_can_be_said(knowing, new_batch):
    batch = new_batch(SOURCES, TARGETS)
    loss = CrossEntropy(label_smoothing=0.25)(knowing, batch, batch.target_inputs)
    mean = (3 + 3 + 2 + 1) / 4  # bits
    assert_close(loss, torch.tensor((0.75 * BITS + 0.25 * TOKENS * mean) * math.log(2)))


def test_unigram_smoothing_mixes_in_the_mean_by_how_often_tokens_come(knowing, new_batch):
    """UNK comes never, EOS, 4 and 5 come 3, 3 and 4 times."""
    batch, objective = new_batch(SOURCES, TARGETS), CrossEntropy(label_smoothing=0.25, smoothing_prior="unigram")
    objective.prepare(torch.tensor([0, 0, 0, 3, 3, 4]))
    loss = objective(knowing, batch, batch.target_inputs)
    mean = (3 * 3 + 3 * 2 + 4 * 1) / 10  # bits
    assert_close(loss, torch.tensor((0.75 * BITS + 0.25 * TOKENS * mean) * math.log(2)))
    loss.backward()
    assert all(weight.grad.isfinite().all() for weight in knowing.parameters() if weight.grad is not None)


def test_unigram_smoothing_of_an_example_by_hand(build_model, new_batch):
    """(1 - eps) (-log .7) + eps (.5 (-log .7) + .5 (-log .1)), eps = .1."""
    objective = CrossEntropy(label_smoothing=0.1, smoothing_prior="unigram")
    objective.prepare(torch.tensor([0, 0, 0, 1, 0, 1]))
    output = FullOutput(feature_size=2, embedding=Embedding(6, 2))
    with torch.no_grad():
        output.projection.weight.zero_()
        output.projection.bias.copy_(torch.tensor([1.0, 1e-9, 1.0, 0.7, 0.2, 0.1]).log())
    features = torch.zeros(1, 2)
    found = output.training_loss(features, torch.tensor([EOS]), objective._smoothing(features)).total
    assert_close(found, torch.tensor(0.95 * -math.log(0.7) + 0.05 * -math.log(0.1)), atol=1e-6, rtol=1e-5)


def test_even_counts_of_all_that_can_be_said_are_uniform_smoothing(build_model, new_batch):
    model, batch = build_model(), new_batch(SOURCES, TARGETS)
    objective = CrossEntropy(label_smoothing=0.2, smoothing_prior="unigram")
    objective.prepare(torch.tensor([0, 7, 0] + [7] * 10))
    assert_close(
        objective(model, batch, batch.target_inputs),
        CrossEntropy(label_smoothing=0.2)(model, batch, batch.target_inputs),
    )


def test_unigram_smoothing_without_counts_is_refused(build_model, new_batch):
    batch = new_batch(SOURCES, TARGETS)
    with pytest.raises(UserError, match="^smoothing_prior=unigram needs the counts of tokens: call prepare"):
        CrossEntropy(smoothing_prior="unigram")(build_model(), batch, batch.target_inputs)


def test_the_likelihood_is_the_sum_without_smoothing(knowing, new_batch):
    loss = likelihood(knowing, new_batch(SOURCES, TARGETS))
    assert_close(loss.total, torch.tensor(BITS * math.log(2)))
    assert loss.tokens == TOKENS


@pytest.mark.parametrize("options", [{}, {"coverage_loss": 0.7}, {"entropy_floor": 2.0}, {"label_smoothing": 0.2}])
def test_places_of_tokens_give_what_a_mask_gives_to_the_bit(build_model, new_batch, monkeypatch, options):
    model, batch = build_model(), new_batch(SOURCES, TARGETS, extra=2)
    objective = CrossEntropy(**{"label_smoothing": 0.0, **options})

    def found() -> list:
        model.zero_grad()
        loss = objective(model, batch, batch.target_inputs)
        loss.backward()
        seen = likelihood(model, batch)
        return [loss, seen.total, seen.entropy, seen.sharpness, *(weight.grad for weight in model.parameters())]

    by_places = found()
    monkeypatch.setattr(Batch, "of_tokens", lambda batch, values: values[batch.target_mask])
    for one, other in zip(by_places, found(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_the_loss_reads_the_inputs_it_is_given(build_model, new_batch, decoder):
    model, batch = build_model(decoder=decoder), new_batch(SOURCES, TARGETS)
    other = torch.where(batch.target_inputs == 4, 7, batch.target_inputs)
    objective = CrossEntropy(label_smoothing=0.0)
    assert not torch.isclose(objective(model, batch, other), objective(model, batch, batch.target_inputs))
    assert_close(objective(model, batch, batch.target_inputs), likelihood(model, batch).total)


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_padding_adds_nothing_to_loss_or_gradients(build_model, new_batch, decoder):
    model = build_model(decoder=decoder)
    tight = loss_and_gradients(model, new_batch(SOURCES, TARGETS))
    wide = loss_and_gradients(model, new_batch(SOURCES, TARGETS, extra=4))
    assert_close(tight, wide)


def test_the_loss_of_a_batch_is_the_sum_of_its_sentences(build_model, new_batch):
    model = build_model()
    together = loss_and_gradients(model, new_batch(SOURCES, TARGETS))
    alone = [loss_and_gradients(model, new_batch([s], [t])) for s, t in zip(SOURCES, TARGETS, strict=True)]
    assert_close(together, {name: sum(part[name] for part in alone) for name in together})


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
@pytest.mark.parametrize(
    "options", [{}, {"label_smoothing": 0.1}, {"coverage_loss": 1.0}, {"entropy_floor": 2.0}, {"temporal_loss": 1.0}]
)
def test_a_silent_batch_has_zero_loss_and_zero_but_no_missing_gradients(build_model, new_batch, decoder, options):
    model = build_model(decoder=decoder)
    batch = new_batch(SOURCES, TARGETS, silent=True)
    loss = CrossEntropy(**{"label_smoothing": 0.0, **options})(model, batch, batch.target_inputs)
    loss.backward()
    assert loss.item() == 0
    assert likelihood(model, batch).tokens == 0
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert not weight.grad.any(), name


# Terms for attention

# Weights of two sentences of three source tokens, the second padded to that and one step shorter.
WEIGHTS = torch.tensor(
    [
        [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.9, 0.1, 0.0]],
        [[0.4, 0.6, 0.0], [1.0, 0.0, 0.0], [0.3, 0.7, 0.0]],
    ]
)
# min(weight, sum of earlier weights), written out: steps 2 and 3 of the first sentence, step 2 of the second.
REPEATED = (0.1 + 0.3 + 0.1) + (0.6 + 0.1 + 0.0) + (0.4 + 0.0)


@pytest.fixture
def looking(knowing, new_batch, monkeypatch):
    """The knowing model with these weights, and a batch."""
    find = knowing.forward

    def forward(*given):
        found = find(*given)
        assert found.weights.shape == WEIGHTS.shape
        return found._replace(weights=WEIGHTS)

    monkeypatch.setattr(knowing, "forward", forward)
    return knowing, new_batch([[4, 5], [7]], [[4, 5], [5]])


def added(model, batch, **options) -> float:
    """What options add to the loss."""
    plain, changed = (
        CrossEntropy(label_smoothing=0.0, **given)(model, batch, batch.target_inputs) for given in ({}, options)
    )
    return (changed - plain).item()


def entropy(weights) -> float:
    return -sum(weight * math.log(weight) for weight in weights.tolist() if weight > 0)


def real_steps():
    """Length of the source and weights of every step that has a target."""
    return [(3, weights) for weights in WEIGHTS[0]] + [(2, weights) for weights in WEIGHTS[1, :2]]


def test_the_coverage_term_is_what_is_looked_at_again(looking):
    assert added(*looking, coverage_loss=1.0) == pytest.approx(REPEATED, rel=1e-5)
    assert added(*looking, coverage_loss=0.25) == pytest.approx(REPEATED / 4, rel=1e-5)


@pytest.mark.parametrize("floor", [0.4, 0.69, 1.0, 5.0])
def test_the_entropy_term_is_what_is_missing_to_the_floor_or_to_even_weights(looking, floor):
    missing = [max(0.0, min(floor, math.log(length)) - entropy(weights)) for length, weights in real_steps()]
    assert sum(gap > 0 for gap in missing) >= 2
    assert added(*looking, entropy_floor=floor) == pytest.approx(sum(missing), rel=1e-4)
    assert added(*looking, entropy_floor=floor, entropy_weight=0.5) == pytest.approx(sum(missing) / 2, rel=1e-4)


# Terms for the decoder's outputs


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_terms_for_outputs_are_sums_over_tokens_of_means_over_units(build_model, new_batch, decoder):
    """AR of what is left by dropout, TAR of what was there before; both of real tokens alone."""
    model = build_model(decoder=decoder, decoder_layers=2, decoder_dropout=0.5)
    batch = new_batch(SOURCES, TARGETS, extra=2)
    torch.manual_seed(4)
    outputs = model(batch.source, batch.source_lengths, batch.target_inputs)
    found = {}
    for name in ("", "activation_loss", "temporal_loss"):
        options = {name: 0.5} if name else {}
        found[name] = CrossEntropy(label_smoothing=0.0, **options).loss(model, batch, outputs).item()
    activation = temporal = 0.0
    for row, target in enumerate(TARGETS):
        for step in range(len(target) + 1):
            activation += outputs.decoder_outputs[row, step].square().mean().item()
            if step:
                change = outputs.undropped[row, step] - outputs.undropped[row, step - 1]
                temporal += change.square().mean().item()
    assert found["activation_loss"] - found[""] == pytest.approx(0.5 * activation, rel=1e-3)
    assert found["temporal_loss"] - found[""] == pytest.approx(0.5 * temporal, rel=1e-3)
    assert (outputs.decoder_outputs == 0).any() or decoder == "gnmt"  # whose top layer is residual
    assert not (outputs.undropped == 0).any()


def test_changes_of_an_example_by_hand():
    outputs = torch.tensor([[[1.0, 2.0], [1.0, 4.0], [4.0, 0.0]]])
    assert changes(outputs).tolist() == [[0.0, 2.0, 12.5]]


@pytest.mark.parametrize("term", [{"activation_loss": 1.0}, {"temporal_loss": 1.0}])
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_terms_for_outputs_do_not_see_padding(build_model, new_batch, decoder, term):
    model, objective = build_model(decoder=decoder), CrossEntropy(label_smoothing=0.0, **term)
    together = loss_and_gradients(model, new_batch(SOURCES, TARGETS), objective)
    assert_close(loss_and_gradients(model, new_batch(SOURCES, TARGETS, extra=3), objective), together)
    alone = [loss_and_gradients(model, new_batch([s], [t]), objective) for s, t in zip(SOURCES, TARGETS, strict=True)]
    assert_close(together, {name: sum(part[name] for part in alone) for name in together})
    plain = loss_and_gradients(model, new_batch(SOURCES, TARGETS), CrossEntropy(label_smoothing=0.0))
    assert together["loss"] > plain["loss"]


def test_terms_that_are_off_leave_the_loss_as_it_is(looking):
    assert added(*looking, coverage_loss=0.0, entropy_floor=0.0) == 0


def test_the_likelihood_comes_with_sums_of_entropies_and_largest_weights(looking):
    found = likelihood(*looking)
    assert_close(found.total, torch.tensor((2 + 1 + 3 + 1 + 3) * math.log(2)))
    assert_close(found.entropy, torch.tensor(sum(entropy(weights) for _, weights in real_steps())))
    assert_close(found.sharpness, torch.tensor(0.5 + 0.8 + 0.9 + 0.6 + 1.0))


def test_the_floor_is_that_of_what_a_shortened_source_leaves(build_model, new_batch):
    """Two values for four tokens: even weights have log 2."""
    model, batch = build_model(halvings=1), new_batch([[4, 5, 6, 7]], [[4]])
    with torch.no_grad():
        model.decoder.attention.projection.weight.zero_()
    assert added(model, batch, entropy_floor=9.0) == pytest.approx(0, abs=1e-5)


def test_the_floor_sees_a_collapse_onto_one_value_of_a_shortened_source(build_model, new_batch, monkeypatch):
    """Weight on one of three values is even on its two tokens, and yet a collapse: each step lacks log 3."""
    model, batch = build_model(halvings=1), new_batch([[4, 5, 6, 7]], [[4]])
    monkeypatch.setattr(model.decoder.attention, "score", lambda query, memory: torch.tensor([[[99.0, 0.0, 0.0]] * 2]))
    assert added(model, batch, entropy_floor=9.0) == pytest.approx(2 * math.log(3), rel=1e-4)


@pytest.mark.parametrize("term", [{"coverage_loss": 1.0}, {"entropy_floor": 1.5}])
@pytest.mark.parametrize("attention", ["dot", "local", "monotonic"])
def test_terms_add_over_sentences_and_padding_changes_nothing(build_model, new_batch, attention, term):
    """Also where weights vanish: gradients stay finite."""
    model, objective = build_model(attention=attention), CrossEntropy(label_smoothing=0.0, **term)
    together = loss_and_gradients(model, new_batch(SOURCES, TARGETS), objective)
    assert_close(loss_and_gradients(model, new_batch(SOURCES, TARGETS, extra=3), objective), together)
    alone = [loss_and_gradients(model, new_batch([s], [t]), objective) for s, t in zip(SOURCES, TARGETS, strict=True)]
    assert_close(together, {name: sum(part[name] for part in alone) for name in together})
    assert all(part.isfinite().all() for part in together.values())


@pytest.mark.parametrize("term", [{"coverage_loss": 1.0}, {"entropy_floor": 1.5}])
def test_terms_reach_what_attention_learns(build_model, new_batch, term):
    model, batch = build_model(), new_batch(SOURCES, TARGETS)
    plain = loss_and_gradients(model, batch, CrossEntropy(label_smoothing=0.0))
    changed = loss_and_gradients(model, batch, CrossEntropy(label_smoothing=0.0, **term))
    name = "decoder.attention.projection.weight"
    assert not torch.allclose(changed[name], plain[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coverage_loss": -1.0}, "coverage_loss must be at least 0, but is -1.0."),
        ({"activation_loss": -2.0}, "activation_loss must be at least 0, but is -2.0."),
        ({"temporal_loss": float("nan")}, "temporal_loss must be a finite number, but is nan."),
        ({"smoothing_prior": "bigram"}, "smoothing_prior must be one of uniform, unigram, but is 'bigram'."),
        (
            {"smoothing_prior": "unigram", "label_smoothing": 0.0},
            "smoothing_prior=unigram needs label_smoothing, but that is 0: raise it.",
        ),
        ({"entropy_floor": -0.5}, "entropy_floor must be at least 0, but is -0.5."),
        (
            {"entropy_weight": 2.0},
            "entropy_weight=2.0 needs entropy_floor, but that is 0: raise it, or leave the weight at 1.",
        ),
        (
            {"entropy_floor": 1.0, "entropy_weight": 0.0},
            "entropy_weight must be above 0, but is 0.0: without the penalty, leave entropy_floor=0.",
        ),
    ],
)
def test_a_bad_weight_of_a_term_is_refused(options, message):
    with pytest.raises(UserError) as error:
        CrossEntropy(**options)
    assert str(error.value) == message


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_smoothing_outside_its_range_is_refused(value):
    with pytest.raises(UserError) as error:
        CrossEntropy(label_smoothing=value)
    assert str(error.value) == f"label_smoothing must be at least 0 and below 1, but is {value}."


def loss_and_gradients(model: Seq2Seq, batch, objective: CrossEntropy | None = None) -> dict[str, torch.Tensor]:
    model.zero_grad()
    total = (objective or CrossEntropy(label_smoothing=0.1))(model, batch, batch.target_inputs)
    total.backward()
    return {"loss": total.detach()} | {name: weight.grad.clone() for name, weight in model.named_parameters()}
