"""R-Drop: two draws of dropout of one batch, and their divergence."""

import math

import pytest
import torch
from torch.testing import assert_close

from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.runs.possible import checked
from seq2seq.symbols import BOS, PAD
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.r_drop import RDrop, divergences

SOURCES = [[4, 5, 6], [7], [5, 5]]
TARGETS = [[4, 5], [5, 5, 4], [4]]
NO_DROPOUT = (
    "R-Drop needs dropout, as it compares two draws of it, but dropout is 0 everywhere "
    "(weight_drop is drawn once for both): raise dropout, or choose another objective."
)


def test_the_divergence_is_that_of_an_example_by_hand():
    """KL(p || q) = .02681, KL(q || p) = .02915; what has no probability under both adds nothing."""
    first, second = (torch.tensor([[0.7, 0.0, 0.2, 0.1]]).log(), torch.tensor([[0.6, 0.0, 0.3, 0.1]]).log())
    one = 0.7 * math.log(0.7 / 0.6) + 0.2 * math.log(0.2 / 0.3)
    other = 0.6 * math.log(0.6 / 0.7) + 0.3 * math.log(0.3 / 0.2)
    assert_close(divergences(first, second), torch.tensor([(one + other) / 2]))
    assert divergences(first, second).item() == pytest.approx(0.02798, abs=5e-6)
    assert divergences(first, first).item() == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_both_draws_and_alpha_times_their_divergence(build_model, new_batch, smoothing):
    model, batch = build_model(dropout=0.3, decoder_dropout=0.3), new_batch(SOURCES, TARGETS, extra=1)
    base = CrossEntropy(label_smoothing=smoothing)
    torch.manual_seed(5)
    objective = RDrop(base=base, alpha=0.7)
    found = objective(model, batch, batch.target_inputs)
    torch.manual_seed(5)
    twice = batch.twice()
    outputs = model(twice.source, twice.source_lengths, twice.target_inputs)
    expected, said = 0.0, []
    for half in (slice(0, 3), slice(3, 6)):
        own = type(outputs)(*(part[half] for part in outputs))
        expected = expected + base.loss(model, batch, own)
        said.append(list(model.output.log_probabilities(batch.of_tokens(own.features)).double()))
    for p, q in zip(*said, strict=True):  # unsmoothed, of real tokens
        kept = [place for place in range(len(p)) if place not in (PAD, BOS)]
        expected = expected + 0.7 * ((p.exp() - q.exp()) * (p - q))[kept].sum().float() / 2
    assert_close(found, expected)
    assert not torch.equal(said[0][0], said[1][0])


def test_the_likelihood_is_the_mean_of_both_draws(build_model, new_batch):
    model, batch = build_model(), new_batch(SOURCES, TARGETS)  # without dropout: equal draws
    base = CrossEntropy(label_smoothing=0.1)
    once = base(model, batch, batch.target_inputs)
    likelihood, objective = base.likelihood, RDrop(base=base)
    assert_close(objective(model, batch, batch.target_inputs), 2 * once)
    assert_close(objective.likelihood, likelihood)


def test_gradients_are_finite_and_padding_adds_nothing(build_model, new_batch):
    model = build_model(dropout=0.2)
    found = []
    for extra in (0, 2):
        torch.manual_seed(3)
        model.zero_grad()
        batch = new_batch(SOURCES, TARGETS, extra=extra)
        loss = RDrop(base=CrossEntropy(), alpha=5.0)(model, batch, batch.target_inputs)
        loss.backward()
        found.append([loss.detach(), *(weight.grad.clone() for weight in model.parameters())])
    assert all(part.isfinite().all() for part in found[0])
    assert_close(*found)


def test_both_draws_read_the_inputs_that_are_given(build_model, new_batch, monkeypatch):
    model, batch = build_model(dropout=0.2), new_batch(SOURCES, TARGETS)
    read = []
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda *given: read.append(given[2]) or forward(*given))
    mixed = batch.target_inputs.where(batch.target_inputs != 4, 7)
    RDrop(base=CrossEntropy())(model, batch, mixed)
    assert torch.equal(read[0], torch.cat([mixed, mixed]))


def test_a_batch_twice_is_what_it_would_be_made_anew(new_batch):
    twice, expected = new_batch(SOURCES, TARGETS).twice(), new_batch(SOURCES * 2, TARGETS * 2)
    for name, value in vars(expected).items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(getattr(twice, name), value), name
    assert twice.step_tokens == new_batch(SOURCES, TARGETS).step_tokens


def test_a_silent_batch_has_zero_loss(build_model, new_batch):
    model, batch = build_model(dropout=0.2), new_batch(SOURCES, TARGETS, silent=True)
    loss = RDrop(base=CrossEntropy())(model, batch, batch.target_inputs)
    loss.backward()
    assert loss.item() == 0


def test_a_base_that_runs_the_batch_in_its_own_way_is_refused():
    with pytest.raises(UserError) as error:
        RDrop(base=RDrop(base=CrossEntropy()))
    assert str(error.value) == "base must be an objective of the batch as it is, but is RDrop: choose another."


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_no_weight_is_refused(alpha):
    with pytest.raises(UserError) as error:
        RDrop(base=CrossEntropy(), alpha=alpha)
    assert str(error.value) == (
        f"alpha must be above 0, but is {alpha}: without the agreement, choose another objective."
    )


@pytest.mark.parametrize(
    ("options", "possible"),
    [
        ({}, False),
        ({"dropout": 0.1}, True),
        ({"decoder_dropout": 0.1}, True),
        ({"cell": {"zoneout_hidden": 0.1}}, True),
        ({"cell": {"weight_drop": 0.1}}, False),
    ],
)
def test_a_model_without_dropout_is_refused(build_model, options, possible):
    def cell(inputs: int, size: int, **given):
        return LSTMCell(inputs, size, options=GatedCellOptions(regularization=Regularization(**options["cell"])))

    model = build_model(**{**options, **({"cell": cell} if "cell" in options else {})})
    if possible:
        RDrop(base=CrossEntropy()).check(model)
        return
    with pytest.raises(UserError) as error:
        RDrop(base=CrossEntropy()).check(model)
    assert str(error.value) == NO_DROPOUT


def test_a_config_without_dropout_is_refused_before_data_are_read(tiny_config, tmp_path):
    config = tiny_config("objective=r_drop", "budget.max_steps=1", "model.dropout=0.0")
    with pytest.raises(UserError) as error:
        refuse_mistakes(config, tmp_path)
    assert str(error.value) == NO_DROPOUT
    refuse_mistakes(tiny_config("objective=r_drop", "budget.max_steps=1", "model.dropout=0.1"), tmp_path)


def test_a_bad_value_is_told_by_its_config_path(tiny_config):
    with pytest.raises(UserError, match=r"^objective.alpha must be above 0, but is -1.0"):
        checked(tiny_config("objective=r_drop", "budget.max_steps=1", "model.dropout=0.1", "objective.alpha=-1.0"))


def test_it_changes_what_is_learnt_and_resumes_to_the_bit(train_tiny, tmp_path):
    def weights(name: str, *overrides: str, **options) -> dict:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        train_tiny(
            folder, "trainer.val_check_interval=2", "model.dropout=0.2", "schedule=constant", *overrides, **options
        )
        return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]

    r_drop = ["objective=r_drop", "objective.base.label_smoothing=0.1"]
    whole = weights("whole", *r_drop, "budget.max_steps=4")
    plain = weights("plain", "budget.max_steps=4")
    weights("part", *r_drop, "budget.max_steps=2")
    resumed = weights("part", *r_drop, "budget.max_steps=4", resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not torch.equal(whole["model.output.bias"], plain["model.output.bias"])
