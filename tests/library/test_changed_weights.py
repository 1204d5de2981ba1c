"""A run answers by the weights that its model has now, in evaluation mode, whatever a caller does with the model."""

import copy

import pytest
import torch

import seq2seq

PAIRS = [("bcd", "DCB"), ("hgf", "F")]
CALLS = {
    "translate": lambda run: [
        found.hypothesis.score for own in run.translate(["bcd", "hgf"], n_best=1) for found in own
    ],
    "score": lambda run: [found.score for found in run.score(PAIRS)],
    "evaluate": lambda run: run.evaluate(PAIRS).hypotheses,
    "interpret": lambda run: run.interpret("bcd").output,
}


@pytest.fixture
def run(finished) -> seq2seq.Run:
    return seq2seq.load(finished)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_model_in_training_mode_answers_as_one_in_evaluation_mode(finished, run, call):
    wanted = call(seq2seq.load(finished))
    run.model.train()
    assert call(run) == wanted
    assert all(module.training for module in run.model.modules())


def in_place(model):
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)


def by_data(model):
    for weight in model.parameters():
        weight.data.mul_(1.5)


def loaded(model):
    model.load_state_dict({name: 1.5 * value for name, value in model.state_dict().items()})


def assigned(model):
    state = {name: torch.nn.Parameter(1.5 * value) for name, value in model.state_dict().items()}
    model.load_state_dict(state, assign=True)


def stepped(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight) * 0.1
    optimizer.step()


@pytest.mark.parametrize("change", [in_place, by_data, loaded, assigned, stepped])
@pytest.mark.parametrize("call", ["translate", "score"])
def test_weights_that_are_changed_after_a_call_are_those_of_the_next(finished, run, call, change):
    other = seq2seq.load(finished)
    change(other.model)
    before, wanted = CALLS[call](run), CALLS[call](other)
    change(run.model)
    assert CALLS[call](run) == wanted != before


def test_the_weights_that_stay_need_no_new_translator(run):
    run.translate("bcd")
    kept = copy.copy(run._decoders._found)
    run.translate("hgf")
    assert run._decoders._found == kept


def test_what_was_laid_out_of_other_weights_is_let_go(run):
    run.translate("bcd")
    run.score(PAIRS)
    by_data(run.model)
    run.translate("bcd")
    assert len(run._decoders._found) == 1
