"""Hypotheses of one text become one translation, with the probabilities of all."""

import math

import pytest

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.translation.line import Translation
from seq2seq.translation.merging import merged


@pytest.fixture
def told(letters: Tokenizers):
    """A translation of a text with a probability; the ids tell which."""

    def build(text: str, probability: float, number: int, *, finished: bool = True) -> Translation:
        score = math.log(probability)
        return Translation(text, Hypothesis([number], score, finished, rank_score=score), "abc", letters)

    return build


def test_probabilities_of_equal_texts_are_summed_and_order_what_comes(told):
    found = merged([told("x", 0.3, 1), told("y", 0.25, 2), told("y", 0.2, 3), told("x", 0.05, 4)])
    assert [own.text for own in found] == ["y", "x"]
    assert [math.exp(own.hypothesis.score) for own in found] == pytest.approx([0.45, 0.35])
    assert [math.exp(own.hypothesis.rank_score) for own in found] == pytest.approx([0.45, 0.35])
    assert [own.hypothesis.ids for own in found] == [[2], [1]]  # the likeliest way of each


def test_what_has_not_ended_adds_nothing_and_stands_behind(told):
    found = merged([told("x", 0.2, 1), told("x", 0.9, 2, finished=False), told("z", 0.8, 3, finished=False)])
    assert [own.text for own in found] == ["x", "z"]
    assert math.exp(found[0].hypothesis.score) == pytest.approx(0.2)
    assert [own.hypothesis.finished for own in found] == [True, False]


def test_texts_that_differ_stay_as_they_are(told):
    given = [told("x", 0.5, 1), told("y", 0.2, 2)]
    assert [own.hypothesis for own in merged(given)] == [own.hypothesis for own in given]


def test_very_small_probabilities_do_not_vanish(letters):
    ways = [
        Translation("x", Hypothesis([number], -2000.0, True, rank_score=-2000.0), "a", letters) for number in (1, 2)
    ]
    (found,) = merged(ways)
    assert found.hypothesis.score == pytest.approx(-2000 + math.log(2))
