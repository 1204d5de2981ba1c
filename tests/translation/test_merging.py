"""Hypotheses of one text become one translation, with the probabilities of all."""

import math

import pytest
import torch

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.ranking import AverageRanking, GNMTRanking, Ranking, SumRanking, WordRewardRanking
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
    found = merged([told("x", 0.3, 1), told("y", 0.25, 2), told("y", 0.2, 3), told("x", 0.05, 4)], SumRanking())
    assert [own.text for own in found] == ["y", "x"]
    assert [math.exp(own.hypothesis.score) for own in found] == pytest.approx([0.45, 0.35])
    assert [math.exp(own.hypothesis.rank_score) for own in found] == pytest.approx([0.45, 0.35])
    assert [own.hypothesis.ids for own in found] == [[2], [1]]  # the likeliest way of each


def test_what_has_not_ended_adds_nothing_and_stands_behind(told):
    found = merged(
        [told("x", 0.2, 1), told("x", 0.9, 2, finished=False), told("z", 0.8, 3, finished=False)], SumRanking()
    )
    assert [own.text for own in found] == ["x", "z"]
    assert math.exp(found[0].hypothesis.score) == pytest.approx(0.2)
    assert [own.hypothesis.finished for own in found] == [True, False]


def test_texts_that_differ_stay_as_they_are(told):
    given = [told("x", 0.5, 1), told("y", 0.2, 2)]
    assert [own.hypothesis for own in merged(given, SumRanking())] == [own.hypothesis for own in given]


def test_very_small_probabilities_do_not_vanish(letters):
    ways = [
        Translation("x", Hypothesis([number], -2000.0, True, rank_score=-2000.0), "a", letters) for number in (1, 2)
    ]
    (found,) = merged(ways, SumRanking())
    assert found.hypothesis.score == pytest.approx(-2000 + math.log(2))


@pytest.mark.parametrize("ranking", [SumRanking(), AverageRanking(), GNMTRanking(), WordRewardRanking()])
def test_the_rank_of_a_text_is_that_of_its_summed_probability(letters, ranking):
    """Whatever lengths count for, and whatever else the search has ranked by: here, half a nat."""

    def way(text: str, score: float, count: int) -> Translation:
        rank = rank_of(ranking, score, count) + 0.5
        return Translation(text, Hypothesis([5] * (count - 1), score, True, rank_score=rank), "a", letters)

    ways = [way("x", -2.0, 10), way("y", -3.0, 10), way("y", -3.0, 13)]
    found = {own.text: own.hypothesis for own in merged(ways, ranking)}
    assert found["x"].rank_score == pytest.approx(rank_of(ranking, -2.0, 10) + 0.5)
    assert found["y"].rank_score == pytest.approx(rank_of(ranking, math.log(2) - 3.0, 10) + 0.5)
    assert list(found) == ["x", "y"]


def rank_of(ranking: Ranking, score: float, count: int) -> float:
    return ranking(torch.tensor([score]), count).item()
