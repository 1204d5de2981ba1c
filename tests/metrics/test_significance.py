"""Intervals and tests of significance: definitions, closed forms, and sacreBLEU's own numbers."""

import random
from functools import cache

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from seq2seq.metrics import significance
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.metrics.pronunciation import PronunciationScores
from seq2seq.metrics.significance import Difference, Draws, differences, intervals
from seq2seq.metrics.translation import TranslationScores

WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "over", "mat", "hill", "man", "woman", "sees", "red", "house"]


def noisy(texts: list[str], share: float, draw: random.Random) -> list[str]:
    return [" ".join(draw.choice(WORDS) if draw.random() < share else word for word in text.split()) for text in texts]


@cache
def systems(size: int = 40) -> tuple[list[str], list[str], list[str]]:
    """References, and what two systems made of them, the second a little better."""
    draw = random.Random(3)
    references = [" ".join(draw.choices(WORDS, k=draw.randint(3, 9))) for _ in range(size)]
    return references, noisy(references, 0.4, draw), noisy(references, 0.3, draw)


def counted(metric, hypotheses: list[str], references: list[str]) -> np.ndarray:
    return metric.counts(hypotheses, [[reference] for reference in references], [])


def matches(*right: bool) -> np.ndarray:
    return np.array([(share, 1) for share in right], dtype=float)


SCORING = ExactMatch().scores
ALL = Draws(bootstrap=200, randomization=200)


# Intervals


@pytest.mark.parametrize("kind", [ExactMatch, PronunciationScores, TranslationScores])
def test_an_interval_holds_the_score_and_narrows_with_more_sentences(kind):
    metric = kind()
    widths = []
    for size in (20, 320):
        references, _, hypotheses = systems(size)
        counts = counted(metric, hypotheses, references)
        found = intervals(counts, metric.scores, ALL)
        scores = metric.scores(counts.sum(0)[None])
        assert list(found) == list(scores)
        assert all(low < scores[name][0] < high for name, (low, high) in found.items())
        widths.append([high - low for low, high in found.values()])
    assert (np.array(widths[1]) < 0.6 * np.array(widths[0])).all()


def test_the_interval_of_a_share_is_that_of_the_binomial():
    low, high = intervals(matches(*[True, False] * 200), SCORING, Draws(bootstrap=4000))["exact_match"]
    width = 100 * 1.96 * (0.25 / 400) ** 0.5
    assert (50 - low, high - 50) == pytest.approx((width, width), rel=0.1)


def test_a_score_without_exceptions_has_no_width():
    assert intervals(matches(True, True, True), SCORING, ALL) == {"exact_match": (100.0, 100.0)}


# Differences


def test_a_system_does_not_differ_from_itself():
    references, hypotheses, _ = systems()
    metric = TranslationScores()
    counts = counted(metric, hypotheses, references)
    same = Difference(0.0, (0.0, 0.0), 1.0, 1.0)
    assert differences(counts, counts, metric.scores, ALL) == {"bleu": same, "chrf": same, "ter": same}


def test_one_sentence_alone_says_nothing():
    """A coin's fall for it makes as much of a difference, always."""
    found = differences(matches(*[True] * 30), matches(False, *[True] * 29), SCORING, ALL)["exact_match"]
    assert found.difference == pytest.approx(100 / 30)
    assert found.randomization_p == 1
    assert found.bootstrap_p > 0.2


@pytest.mark.parametrize("unlike", [3, 4, 5])
def test_the_p_value_of_sentences_that_all_differ_one_way_is_that_of_coins(unlike):
    left, right = matches(*[True] * 20), matches(*[False] * unlike, *[True] * (20 - unlike))
    found = differences(left, right, SCORING, Draws(randomization=20000))["exact_match"]
    assert found.randomization_p == pytest.approx(2 * 0.5**unlike, rel=0.1)
    assert (found.interval, found.bootstrap_p) == (None, None)


@pytest.mark.parametrize("draws", [9, 99])
def test_what_was_seen_is_one_of_the_draws_so_that_no_p_value_is_0(draws):
    """Of sentences that all differ one way no draw by chance is as far off, within these numbers of draws."""
    right, wrong = matches(*[True] * 60), matches(*[False] * 60)
    found = differences(right, wrong, SCORING, Draws(bootstrap=draws, randomization=draws))["exact_match"]
    assert found.difference == 100
    assert found.randomization_p == found.bootstrap_p == 1 / (draws + 1)


def test_exchanged_systems_differ_as_much_the_other_way():
    references, first, second = systems()
    metric = TranslationScores()
    left, right = counted(metric, first, references), counted(metric, second, references)
    there, back = (differences(*pair, metric.scores, ALL) for pair in ((left, right), (right, left)))
    for name, found in there.items():
        other = back[name]
        assert found.difference == pytest.approx(-other.difference)
        assert found.interval == pytest.approx(tuple(-end for end in other.interval[::-1]))
        assert (found.bootstrap_p, found.randomization_p) == (other.bootstrap_p, other.randomization_p)


def test_chance_alone_seems_significant_as_often_as_it_says():
    generator, found = np.random.default_rng(5), []
    for _ in range(100):
        left, right = (matches(*generator.integers(2, size=100)) for _ in range(2))
        (one,) = differences(left, right, SCORING, ALL).values()
        found.append((one.bootstrap_p, one.randomization_p))
    shares = (np.array(found) < 0.1).mean(0)
    assert ((shares > 0.03) & (shares < 0.17)).all()


def test_a_true_difference_is_found():
    generator = np.random.default_rng(6)
    left, right = matches(*generator.random(300) < 0.8), matches(*generator.random(300) < 0.6)
    (found,) = differences(left, right, SCORING, ALL).values()
    assert found.bootstrap_p < 0.01
    assert found.randomization_p < 0.01
    assert 5 < found.interval[0] < found.difference < found.interval[1] < 35


# sacreBLEU


@cache
def sacrebleus(kind: str, trials: int) -> dict[str, tuple]:
    references, first, second = systems()
    metrics = {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}
    test = PairedTest([("first", first), ("second", second)], metrics, [references], kind, n_samples=trials)
    found = test()[1]
    return {name: found[own][1] for name, own in (("bleu", "BLEU"), ("chrf", "chrF2"), ("ter", "TER"))}


@pytest.fixture
def both_counts():
    references, first, second = systems()
    metric = TranslationScores()
    return metric, counted(metric, second, references), counted(metric, first, references)


def test_approximate_randomization_is_sacrebleus(both_counts):
    metric, second, first = both_counts
    expected = sacrebleus("ar", 500)
    found = differences(second, first, metric.scores, Draws(randomization=500))
    for name in ("bleu", "chrf"):
        assert found[name].randomization_p == pytest.approx(expected[name].p_value, abs=1.01 / 501)
    # Edits are few, so many draws differ by just as many as were seen; it does not count these.
    assert found["ter"].randomization_p > expected["ter"].p_value
    assert 0.01 < found["bleu"].randomization_p < 0.9


def test_bootstrap_samples_are_sacrebleus(both_counts):
    metric, second, first = both_counts
    expected = sacrebleus("bs", 400)
    draws = Draws(bootstrap=400)
    for name, (low, high) in intervals(second, metric.scores, draws).items():
        assert (high - low) / 2 == pytest.approx(expected[name].ci, rel=0.02)
    ours, theirs = (metric.scores(significance._resampled(counts, draws)) for counts in (second, first))
    found = differences(second, first, metric.scores, draws)
    for name, one in found.items():
        distances = np.abs(ours[name] - theirs[name])
        beyond = (distances - distances.mean() > abs(one.difference)).sum()
        assert (beyond + 1) / 401 == pytest.approx(expected[name].p_value, abs=1.01 / 401)
        assert one.bootstrap_p > expected[name].p_value  # theirs is one-sided


# Draws


def test_draws_in_portions_are_those_at_once(both_counts, monkeypatch):
    metric, second, first = both_counts
    whole = differences(second, first, metric.scores, ALL)
    monkeypatch.setattr(significance, "_DRAWN_AT_ONCE", 1)
    assert differences(second, first, metric.scores, ALL) == whole


def test_a_seed_is_one_draw(both_counts):
    metric, second, first = both_counts
    found = [
        differences(second, first, metric.scores, Draws(bootstrap=100, randomization=100, seed=seed))
        for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]
