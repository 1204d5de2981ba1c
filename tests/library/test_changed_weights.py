"""A run answers by the weights that its model has now, in evaluation mode, whatever a caller does with the model."""

import copy

import pytest
import torch

import seq2seq
from seq2seq.library.model_copies import _sums, weights_now

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


@pytest.mark.parametrize("place", [0, 1, 63, -1])
def test_a_single_value_that_is_changed_by_data_is_noticed(run, place):
    for number, weight in enumerate(run.model.parameters()):
        before = weights_now(run.members)
        flat = weight.data.flatten()
        flat[min(place, len(flat) - 1)] += 1e-3
        weight.data.copy_(flat.view_as(weight))
        assert weights_now(run.members) != before, number
    assert weights_now(run.members) == weights_now(run.members)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (5, 3), (129, 2)])
def test_tensors_of_all_kinds_have_a_sum(kind, shape):
    tensor = torch.zeros(shape, dtype=kind)
    other = torch.ones(shape, dtype=kind)
    assert _sums(tensor) == _sums(tensor.clone())
    assert (_sums(tensor) == _sums(other)) == (not tensor.numel())
    if len(shape) > 1:
        turned = torch.arange(tensor.numel()).view(shape).to(kind)
        assert _sums(turned.T) == _sums(turned.T.contiguous())
        _sums(turned[1:])


@pytest.mark.parametrize("call", [CALLS["translate"], CALLS["score"]])
def test_an_ensemble_answers_by_the_weights_of_its_runs_as_they_are_now(run, call):
    before = call(run)
    by_data(run.model)
    wanted = call(run)
    both = seq2seq.ensemble([run])
    assert call(both) == wanted != before
    in_place(run.model)
    assert call(both) == call(run) != wanted


@pytest.mark.parametrize("change", [in_place, by_data, lambda model: model.double()], ids=["place", "data", "type"])
def test_training_that_would_start_from_other_weights_is_refused(run, finished, change):
    change(run.model)
    with pytest.raises(seq2seq.UserError) as error:
        run.fine_tune([("ab", "b a")])
    assert str(error.value) == (
        f"fine_tune starts from the weights in {finished}, but those in memory are others: load the run again, or "
        "fine-tune what run.save(folder) gives."
    )


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


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:, 5].neg_(),
        lambda data: data[:, :40].neg_(),
        lambda data: data.copy_(data[torch.arange(255, -1, -1)]),
        lambda data: data.copy_(data.clone()[[1, 0, *range(2, 256)]]),
    ],
)
def test_signs_and_rows_that_change_are_seen(change):
    tensor = torch.randn(256, 256, generator=torch.Generator().manual_seed(1))
    before = _sums(tensor)
    change(tensor.data)
    assert _sums(tensor) != before
