"""Minimum Bayes risk against a computation in plain Python."""

import math
import random

import pytest
from sacrebleu import sentence_chrf

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.translation import reranking
from seq2seq.translation.reranking import MinimumBayesRisk

TEXTS = ["the cat sat", "a cat sat", "the cat sat down", "dogs", "the cat"]
SCORES = [-1.0, -0.5, -2.0, -0.3, -1.5]


def hypotheses(scores: list[float]) -> list[Hypothesis]:
    return [Hypothesis([], score, True) for score in scores]


def edits(one: str, other: str) -> int:
    """Insertions, deletions and substitutions."""
    row = list(range(len(other) + 1))
    for place, left in enumerate(one, 1):
        previous, row[0] = row[0], place
        for column, right in enumerate(other, 1):
            previous, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, previous + (left != right))
    return row[-1]


UTILITIES = {
    "edit": lambda own, other: 1 - edits(own, other) / max(len(own), len(other), 1),
    "chrf": lambda own, other: sentence_chrf(own, [other]).score,
}


def naive(texts: list[str], scores: list[float], utility: str, *, weighted: bool) -> list[int]:
    """Expectations over all pairs, by the definition."""
    shares = [math.exp(score) if weighted else 1.0 for score in scores]
    total = sum(shares)
    expected = [
        sum(share / total * UTILITIES[utility](own, other) for share, other in zip(shares, texts, strict=True))
        for own in texts
    ]
    return sorted(range(len(texts)), key=lambda number: (-round(expected[number], 9), number))


@pytest.mark.parametrize("utility", UTILITIES)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    "scores", [SCORES, [-9.0, -0.1, -8.0, -0.2, -0.1], [-2.0] * 5, [-900.0, -899.0, -905.0, -901.0, -902.0]]
)
def test_the_order_is_that_of_the_definition(utility, weighted, scores):
    shift = 0.0 if max(scores) > -100 else 899.0  # a difference means the same wherever it is
    wanted = naive(TEXTS, [score + shift for score in scores], utility, weighted=weighted)
    assert MinimumBayesRisk(utility=utility, weighted=weighted)(TEXTS, hypotheses(scores)) == wanted


def test_the_order_hangs_on_the_utility_and_the_weights():
    orders = {
        tuple(naive(TEXTS, SCORES, utility, weighted=weighted)) for utility in UTILITIES for weighted in (True, False)
    }
    assert len(orders) > 2


def test_a_utility_need_not_be_symmetric():
    """chrF weighs recall: what is compared is the hypothesis against all others as references."""
    own, other = "the cat sat", "the cat sat down there"
    assert UTILITIES["chrf"](own, other) != pytest.approx(UTILITIES["chrf"](other, own))
    texts, scores = [own, other, "cat"], [-1.0, -1.1, -1.2]
    assert MinimumBayesRisk()(texts, hypotheses(scores)) == naive(texts, scores, "chrf", weighted=True)


@pytest.mark.parametrize("utility", UTILITIES)
def test_values_are_those_of_every_pair(utility):
    """N-grams are counted once for each text, which changes no value, whatever the length and the spaces."""
    generator = random.Random(1)
    texts = ["", "a", " ", "ab ab ab", "\u3000ab\u00a0c"]
    texts += ["".join(generator.choices("abc \u0905", k=size)) for size in range(1, 20)]
    scale = {"chrf": 100, "edit": 1}[utility]
    for own, row in zip(texts, reranking._UTILITIES[utility](texts), strict=True):
        for other, value in zip(texts, row, strict=True):
            assert value == pytest.approx(UTILITIES[utility](own, other) / scale, abs=1e-12)


def test_equal_hypotheses_stay_in_order_and_vote_together():
    texts = ["x y z", "dogs", "dogs", "cat a"]
    order = MinimumBayesRisk(utility="edit", weighted=False)(texts, hypotheses([-1.0] * 4))
    assert order[:2] == [1, 2]
    assert sorted(order) == [0, 1, 2, 3]
    assert MinimumBayesRisk()(["a"] * 3, hypotheses([-3.0, -1.0, -2.0])) == [0, 1, 2]


@pytest.mark.parametrize("utility", UTILITIES)
def test_empty_hypotheses_are_compared_too(utility):
    order = MinimumBayesRisk(utility=utility)(["", "ab", "ab"], hypotheses([-1.0] * 3))
    assert order == [1, 2, 0]


def test_the_plain_edit_distance_is_one():
    assert edits("kitten", "sitting") == 3
    assert edits("", "ab") == edits("ab", "") == 2


def test_an_unknown_utility():
    with pytest.raises(UserError) as error:
        MinimumBayesRisk(utility="bleu")
    assert str(error.value) == "utility must be one of chrf, edit, but is 'bleu'."
