"""Training with outputs for large vocabularies: with what goes beside them, in whole runs, and what is refused."""

from functools import partial

import pytest
import torch
from kept_runs import last, same
from torch.testing import assert_close

from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.errors import UserError
from seq2seq.layers.output.adaptive import AdaptiveOutput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.mixture import MixtureOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.training.likelihood import likelihood
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.distillation import Distillation
from seq2seq.training.objectives.r_drop import RDrop

SOURCES = [[4, 5, 6], [7], [5, 5]]
TARGETS = [[4, 5], [5, 5, 4], [4]]
COUNTS = torch.tensor([0, 1, 0, 3, 3, 4, 0, 2, 0, 0, 1, 0, 0])


def distillation(teacher) -> Distillation:
    objective = Distillation(teachers=["RUN"], weight=0.5, temperature=2.0)
    objective.models = [teacher]
    return objective


OBJECTIVES = {
    "smoothed": lambda _: CrossEntropy(label_smoothing=0.2),
    "unigram": lambda _: CrossEntropy(label_smoothing=0.2, smoothing_prior="unigram"),
    "r-drop": lambda _: RDrop(base=CrossEntropy(label_smoothing=0.2)),
    "distillation": distillation,
}


@pytest.mark.parametrize("output", [TiedOutput, FullOutput])
@pytest.mark.parametrize("kind", OBJECTIVES)
def test_every_objective_is_the_same_in_chunks(build_model, new_batch, kind, output):
    batch, found = new_batch(SOURCES, TARGETS), []
    for chunk in (None, 4):
        torch.manual_seed(5)
        model = build_model(output=partial(output, chunk=chunk), decoder_dropout=0.2)
        objective = OBJECTIVES[kind](build_model().eval())
        objective.prepare(COUNTS)
        torch.manual_seed(6)
        loss = objective(model, batch, batch.target_inputs)
        loss.backward()
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        found.append([loss.detach(), objective.likelihood, likelihood(model.eval(), batch).total, *gradients])
    for whole, chunked in zip(*found, strict=True):
        assert_close(chunked, whole, atol=1e-5, rtol=1e-5)


RUN = ["averaging.decay=0.5", "trainer.val_check_interval=2", "budget.max_steps=6"]
OPTIONS = {
    "chunk": ["model.output.chunk=7"],
    "multiple": ["model.vocabulary_multiple=64"],
    "samples": ["model.output.samples=4", "objective.label_smoothing=0.0"],
    "samples by counts": [
        *("model/output=full", "model.output.samples=4", "model.output.sampler=unigram"),
        "objective.label_smoothing=0.0",
    ],
    "adaptive": ["model/output=adaptive"],
    "adaptive unsmoothed": [*("model/output=adaptive", "model.output.cutoffs=[5,7]"), "objective.label_smoothing=0.0"],
    "mixture": ["model/output=mixture"],
    "chunk of a multiple": ["model.output.chunk=7", "model.vocabulary_multiple=64", "model/output=full"],
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_goes_on_to_the_bit(train_tiny, tmp_path, interrupt_at, options):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    scores = train_tiny(whole, *RUN, *options)
    assert "exact_match" in scores
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(parted, *RUN, *options)
    train_tiny(parted, *RUN, *options, resume=True)
    assert same(last(parted), last(whole))


def test_cutoffs_beyond_the_vocabulary_of_the_data_are_one_clear_line(train_tiny, tmp_path):
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, "budget.max_steps=1", "model/output=adaptive", "model.output.cutoffs=[5,40]")
    assert str(error.value) == "model.output.cutoffs must be below the vocabulary of 10 tokens, but are [5, 40]."


def test_distillation_needs_all_tokens(build_model):
    model = build_model(output=partial(TiedOutput, samples=3))
    objective = distillation(build_model())
    objective.base = CrossEntropy(label_smoothing=0.0)
    with pytest.raises(UserError) as error:
        objective.check(model)
    assert str(error.value) == (
        "Distillation needs the probabilities of all tokens in training, but samples is 3: make it null."
    )


def test_samples_have_no_likelihood_in_training_and_all_of_it_in_validation(build_model, new_batch):
    batch, model = new_batch(SOURCES, TARGETS), build_model(output=partial(TiedOutput, samples=3))
    objective = CrossEntropy(label_smoothing=0.0)
    sampled = objective(model, batch, batch.target_inputs)
    assert objective.likelihood is None
    plain = build_model()
    plain.load_state_dict(model.state_dict())
    assert torch.equal(likelihood(model.eval(), batch).total, likelihood(plain.eval(), batch).total)
    assert sampled != likelihood(plain, batch).total


@pytest.mark.parametrize("output", [AdaptiveOutput, MixtureOutput], ids=["adaptive", "mixture"])
@pytest.mark.parametrize("kind", OBJECTIVES)
def test_every_objective_takes_every_output(build_model, new_batch, kind, output):
    batch = new_batch(SOURCES, TARGETS)
    model, objective = build_model(output=output, decoder_dropout=0.2), OBJECTIVES[kind](build_model().eval())
    objective.prepare(COUNTS)
    objective.check(model)
    objective(model, batch, batch.target_inputs).backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)
    assert objective.likelihood > 0


def test_tables_have_a_multiple_of_rows_and_those_past_the_vocabulary_learn_nothing(train_tiny, tmp_path):
    weights = []
    for steps in (1, 4):
        folder = tmp_path / str(steps)
        folder.mkdir()
        train_tiny(folder, f"budget.max_steps={steps}", "model.vocabulary_multiple=64", "trainer.val_check_interval=1")
        weights.append(last(folder)["state_dict"]["model.decoder.embedding.table.weight"])
    before, after = weights
    assert len(before) == 64
    assert not torch.equal(before[:8], after[:8])
    assert torch.equal(before[16:], after[16:])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.output.chunk=0"], "model.output.chunk must be at least 1 row, or null, but is 0."),
        (["model.vocabulary_multiple=0"], "model.vocabulary_multiple must be at least 1, but is 0."),
        (["model.output.samples=0"], "model.output.samples must be at least 1, or null for all tokens, but is 0."),
        (
            ["tokenizer=unigram", "tokenizer.joint=false", "tokenizer.target_size=500", "model.output.samples=499"],
            "model.output.samples must be at most 498, the tokens that can be said, but is 499.",
        ),
        (
            ["model.output.samples=4"],
            "objective.label_smoothing must be 0 with an output of 4 samples, as it gives to all tokens, but is 0.1.",
        ),
        (
            ["model.output.samples=4", "objective=r_drop", "objective.base.label_smoothing=0.0", "model.dropout=0.1"],
            "R-Drop needs the probabilities of all tokens in training, but samples is 4: make it null.",
        ),
        (
            ["model.output.samples=4", "model.output.normalizer=entmax"],
            "model.output.samples must be null with normalizer=entmax, which needs all, but is 4.",
        ),
        (
            ["model/output=mixture", "model.output.components=0"],
            "model.output.components must be at least 1, but is 0.",
        ),
        (
            ["model/output=adaptive", "model.output.cutoffs=[9,5]"],
            "model.output.cutoffs must rise, the first of at least 4, but are [9, 5].",
        ),
        (
            [
                "model/output=adaptive",
                "tokenizer=bpe",
                "tokenizer.joint=false",
                "tokenizer.target_size=500",
                "model.output.cutoffs=[100,500]",
            ],
            "model.output.cutoffs must be below the vocabulary of 500 tokens, but are [100, 500].",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(tiny_config, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config("budget.max_steps=1", *overrides), tmp_path)
    assert str(error.value) == message
