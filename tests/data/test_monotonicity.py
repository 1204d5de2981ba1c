"""How much sources tell of their targets in order: by hand, by brute force, and on tasks of either kind."""

import itertools
import math
import random

import pytest
import torch

from seq2seq.data.edits.edit_costs import EditCosts
from seq2seq.data.edits.learning import learn_edits, log_likelihood
from seq2seq.data.edits.monotonicity import log_marginal, monotonicity
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import TokenizerTrainer


def share_of(pairs: list[tuple[str, str]], kind: str = "char") -> float:
    tokenizers = TokenizerTrainer(source=kind, target=kind).train([Example(own, (other,)) for own, other in pairs])
    return monotonicity(tokenizers, [own for own, _ in pairs], [other for _, other in pairs])


def words(count: int) -> list[str]:
    draw = random.Random(1)
    return ["".join(draw.choices("abcdeghilo", k=draw.randint(2, 9))) for _ in range(count)]


def test_the_likelihood_of_pairs_is_what_learning_saw():
    learnt = learn_edits([[0], [1, 0]], [[1], [0, 1]], (2, 2))
    again = log_likelihood(learnt.costs, [[0], [1, 0]], [[1], [0, 1]])
    assert again == pytest.approx(learnt.likelihoods[-1], rel=1e-4)


def test_the_probability_of_a_source_is_the_sum_over_all_targets():
    table = torch.tensor([[0.2, 0.1, 0.1], [0.1, 0.1, 0.05], [0.02, 0.03, 0.3]], dtype=torch.float64)
    costs = EditCosts(-(table / table.sum()).log())
    for source in ([0], [1, 0]):
        targets = [list(own) for length in range(9) for own in itertools.product((0, 1), repeat=length)]
        total = sum(math.exp(log_likelihood(costs, [source], [target])) for target in targets if target)
        total += math.exp(-float(costs.table[source, -1].sum() + costs.table[-1, -1]))  # the empty target
        assert log_marginal(costs, [source]) == pytest.approx(math.log(total), abs=1e-4)


def test_what_sources_tell_all_of_is_one_and_what_they_tell_nothing_of_is_about_zero():
    assert share_of([("ab", "xy"), ("ba", "yx"), ("ab", "xy"), ("ba", "yx")] * 9) == pytest.approx(1, abs=1e-3)
    own = words(600)
    assert share_of([(word, other) for word, other in zip(own, reversed(own), strict=True)]) < 0.1


@pytest.mark.parametrize(
    ("task", "monotone"),
    [
        (lambda word: word, True),
        (lambda word: word.translate(str.maketrans("abcde", "vwxyz")), True),
        (lambda word: word.replace("a", "") + "ed", True),
        (lambda word: word[::-1], False),
        (lambda word: "".join(sorted(word)), False),
    ],
    ids=["copy", "cipher", "inflection", "reversal", "sorting"],
)
@pytest.mark.parametrize("count", [100, 600])
def test_tasks_are_told_apart_with_a_margin(task, monotone, count):
    share = share_of([(word, task(word)) for word in words(count)])
    assert share > 0.5 if monotone else share < 0.3


@pytest.mark.parametrize("pairs", [[], [("a", "b")], [("a", ""), ("", "b"), ("a", "b")]])
def test_too_few_pairs_tell_nothing(pairs):
    known = TokenizerTrainer(source="char", target="char").train([Example("a", ("b",))])
    assert monotonicity(known, [own for own, _ in pairs], [other for _, other in pairs]) == 0
