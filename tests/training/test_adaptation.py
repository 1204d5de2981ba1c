"""A learner is held to its start, goes back to the bit, and is judged on what is new and what is old."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.optim import SGD, Adam

from seq2seq.data.examples import Example
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.metrics.significance import Draws
from seq2seq.training.acceptance import AcceptanceTest
from seq2seq.training.adaptation import Learner
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.yardsticks import LossYardstick, TranslationYardstick
from seq2seq.translation.translator import Translator

OPTIMIZERS = {
    "adam": partial(Adam, lr=0.01),
    "fused adam": partial(Adam, lr=0.01, fused=True),
    "sgd with momentum": partial(SGD, lr=0.01, momentum=0.9),
}


@pytest.fixture
def learner(new_module, new_batch):
    """A learner of a tiny model from its own weights, and a batch."""

    def build(l2=0.0, **changes) -> tuple[Learner, object]:
        step = new_module(**changes).step
        start = {name: weight.detach().clone() for name, weight in step.model.state_dict().items()}
        return Learner(step, start, l2), new_batch([[4, 5], [6]], [[6, 7], [5]])

    return build


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in learner.step.model.named_parameters()}


def same(left, right) -> bool:
    """Tell whether two states are the same to the bit."""
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_large_l2_gives_the_start(learner, optimizer):
    held, batch = learner(1e9, optimizer=optimizer)
    start = weights(held)
    for _ in range(5):
        assert held.learn(batch)
    assert all(torch.allclose(weight, start[name], atol=1e-6, rtol=0) for name, weight in weights(held).items())
    assert all(torch.allclose(held.served[name], start[name], atol=1e-6, rtol=0) for name in start)


def test_l2_is_in_the_loss_that_is_minimised(learner):
    """A step of SGD goes down the gradient of loss + l2 / 2 |weights - start|^2, of the second part where it ends."""
    l2, rate = 3.0, 0.1
    held, batch = learner(l2, optimizer=partial(SGD, lr=rate))
    free, _ = learner(0.0, optimizer=partial(SGD, lr=rate))
    start = weights(held)
    held.learn(batch)
    free.step.model.load_state_dict(held.step.model.state_dict())
    free.updates, before = held.updates, weights(held)
    held.learn(batch)
    free.learn(batch)
    after, by_loss = weights(held), weights(free)
    for name, weight in after.items():
        gradient = (before[name] - by_loss[name]) / rate + l2 * (weight - start[name])
        assert torch.allclose(weight, before[name] - rate * gradient, atol=1e-6)
    assert any(not torch.allclose(weight, by_loss[name], atol=1e-4) for name, weight in after.items())


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_what_is_gone_back_to_goes_on_as_if_nothing_had_been(learner, optimizer):
    """Weights, average, optimizer and random numbers, with dropout: as in a learner that was never led astray."""
    own, batch = learner(0.5, optimizer=optimizer, sizes={"dropout": 0.5})
    other, _ = learner(0.5, optimizer=optimizer, sizes={"dropout": 0.5})
    for _ in range(2):
        own.learn(batch)
        other.learn(batch)
    state = own.state()
    assert same(state, other.state())
    for _ in range(3):
        own.learn(batch)
    torch.rand(5)
    assert not same(state, own.state())
    own.restore(state)
    assert same(state, own.state())
    own.learn(batch)
    other.learn(batch)
    assert same(own.state(), other.state())


def test_a_state_before_all_updates_can_be_gone_back_to(learner):
    own, batch = learner()
    state = own.state()
    own.learn(batch)
    own.restore(state)
    assert same(state, own.state())
    assert same(own.served, own.step.model.state_dict())


def test_an_optimizer_of_another_class_begins_anew(learner):
    own, batch = learner(optimizer=OPTIMIZERS["adam"])
    own.learn(batch)
    other, _ = learner(optimizer=OPTIMIZERS["sgd with momentum"])
    other.restore(own.state())
    assert same(weights(own), weights(other))
    assert other.optimizer.state_dict()["state"] == {}


def test_a_gradient_that_is_not_finite_is_told(learner):
    class Poisoned(CrossEntropy):
        def loss(self, model, batch, outputs):
            return super().loss(model, batch, outputs) * float("nan")

    own, batch = learner(objective=Poisoned(label_smoothing=0.0))
    assert not own.learn(batch)


@pytest.mark.parametrize("l2", [-1.0, float("inf"), float("nan")])
def test_an_l2_that_is_none_is_refused(learner, l2):
    with pytest.raises(UserError, match=f"l2 must be at least 0, but is {l2}"):
        learner(l2)


# The test of what was learnt


class Said(Translator):
    """A translator that says what it is told to, and gives each target token as many nats."""

    class Letters:
        def encode_pairs(self, sources, targets):
            return [[4] * len(text) for text in sources], [[4] * len(text) for text in targets]

    tokenizers = Letters()

    def __init__(self, right, nats: float = 1.0):
        self.right, self.nats = right, nats

    def __call__(self, texts):
        return [text if int(text) in self.right else "?" for text in texts]

    def score(self, sources, targets, *, first_number=1):
        scores = [[-self.nats] * (len(ids) + 1) for ids in targets]
        return [Hypothesis(list(ids), sum(s), True, sum(s), s) for ids, s in zip(targets, scores, strict=True)]


def numbers(first: int, last: int) -> list[Example]:
    return [Example(str(number), (str(number),)) for number in range(first, last)]


def acceptance(tolerance=2.0, **changes) -> AcceptanceTest:
    stick = TranslationYardstick(ExactMatch(), "exact_match", higher=True)
    test = AcceptanceTest(
        **{"yardstick": stick, "old": numbers(0, 100), "tolerance": tolerance, "draws": Draws(500)} | changes
    )
    test.begin(Said(range(50)))
    return test


@pytest.mark.parametrize(
    ("right", "reason"),
    [
        ([*range(50), *range(100, 130)], ""),
        ([*range(50), *range(100, 101)], "not surely better on what is new"),
        ([*range(50)], "not surely better on what is new"),
        ([*range(40), *range(100, 130)], "perhaps worse on what is old by over 2"),
        ([*range(48), *range(100, 130)], "perhaps worse on what is old by over 2"),  # it could be more
        ([*range(60), *range(100, 130)], ""),
    ],
)
def test_new_must_be_surely_better_and_old_surely_not_worse(right, reason):
    verdict = acceptance()(Said(right), Said(range(50)), numbers(100, 140))
    assert verdict.reason == reason
    assert verdict.accepted == (not reason)
    assert verdict.new.gain == pytest.approx(100 * sum(number >= 100 for number in right) / 40)
    assert verdict.old.before == 50
    assert verdict.old.sentences == 100
    low, high = verdict.new.interval
    assert low <= verdict.new.gain <= high


def test_losses_on_what_is_old_are_counted_from_the_start_and_do_not_add_up():
    """Each version loses little against the one before."""
    test, served = acceptance(tolerance=6.0), Said([*range(50)])
    for number, right in enumerate((range(1, 50), range(2, 50), range(10, 50)), 1):
        candidate = Said([*right, *range(100, 100 + 10 * number)])
        verdict = test(candidate, served, numbers(100, 140))
        served = candidate
    assert verdict.new.gain == 25
    assert verdict.reason == "perhaps worse on what is old by over 6"


@pytest.mark.parametrize(("nats", "accepted"), [(0.9, True), (1.0, False), (1.1, False)])
def test_less_loss_is_better(nats, accepted):
    test = acceptance(yardstick=LossYardstick(), old=numbers(0, 20))
    test.begin(Said(range(0)))
    verdict = test(Said(range(0), nats), Said(range(0)), numbers(20, 40))
    assert verdict.accepted == accepted
    assert verdict.new.gain == pytest.approx(1 - nats)
    assert verdict.new.interval == pytest.approx((1 - nats, 1 - nats))
    assert verdict.new.record()["after"] == pytest.approx(nats)


def test_the_loss_of_an_example_is_of_all_its_targets():
    counts = LossYardstick().counts(Said(range(0), 0.5), [Example("1", ("1", "22")), Example("3", ("3",))])
    assert np.allclose(counts, [[0.5 * 5, 5], [0.5 * 2, 2]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tolerance": -0.1}, "tolerance must be at least 0, but is -0.1."),
        ({"draws": Draws(99)}, "bootstrap must be at least 100, but is 99."),
        ({"old": []}, "old examples must be there to judge by, but there are none."),
    ],
)
def test_a_test_that_cannot_judge_is_refused(changes, message):
    with pytest.raises(UserError) as error:
        acceptance(**changes)
    assert str(error.value) == message
