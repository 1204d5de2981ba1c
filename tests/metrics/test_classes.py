"""Accuracy and macro F1 are what their definitions say, however sentences are added up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.errors import UserError
from seq2seq.metrics.classes import ClassScores
from seq2seq.metrics.significance import Draws, intervals

LAW = settings(deadline=None, max_examples=50)
labels = st.sampled_from(["left", "right", "up"])
cases = st.lists(st.tuples(st.one_of(labels, st.just("sideways")), labels), min_size=1, max_size=12)


def scored(pairs, *, words: bool = False, cut: int = 0) -> dict[str, float]:
    metric = ClassScores(words=words)
    metric.prepare([[true] for _, true in pairs])
    for part in (pairs[:cut], pairs[cut:]):
        metric.update([said for said, _ in part], [[true] for _, true in part])
    return {name: float(value) for name, value in metric.compute().items()}


def f1_of(pairs, label: str) -> float:
    right = sum(said == true == label for said, true in pairs)
    precision = right / max(sum(said == label for said, _ in pairs), 1)
    recall = right / max(sum(true == label for _, true in pairs), 1)
    return 2 * precision * recall / (precision + recall) if right else 0.0


@LAW
@given(cases, st.integers(0, 12))
def test_scores_are_those_of_their_definitions(pairs, cut):
    found = scored(pairs, cut=cut)
    assert found["accuracy"] == pytest.approx(100 * np.mean([said == true for said, true in pairs]), rel=1e-5)
    by_class = [f1_of(pairs, label) for label in {true for _, true in pairs}]
    assert found["macro_f1"] == pytest.approx(100 * np.mean(by_class), rel=1e-5)


def test_a_rare_class_counts_as_much_as_a_common_one():
    pairs = [("common", "common")] * 9 + [("common", "rare")]
    found = scored(pairs)
    assert found["accuracy"] == pytest.approx(90)
    assert found["macro_f1"] == pytest.approx(100 * (18 / 19) / 2)


def test_sequences_of_labels_are_compared_place_by_place():
    pairs = [("a b a", "a a a"), ("b", "b b"), ("a a a a", "a")]
    assert scored(pairs, words=True)["accuracy"] == pytest.approx(100 * 4 / 9)
    assert scored(pairs)["accuracy"] == 0


def test_a_label_behind_the_last_of_the_reference_is_said_and_wrong():
    found = scored([("a b a a a b", "a b")], words=True)
    assert found["accuracy"] == pytest.approx(100 * 2 / 6)
    assert found["macro_f1"] == pytest.approx(100 * (2 / (4 + 1) + 2 / (2 + 1)) / 2)
    assert scored([("a", "a b a a a b")], words=True)["accuracy"] == pytest.approx(100 / 6)


def test_any_reference_that_is_met_counts():
    metric = ClassScores()
    metric.update(["b", "c"], [["a", "b"], ["a", "b"]])
    assert metric.totals.tolist() == [2, 1, 0, 0, 1, 1, 1, 1]


def test_a_reset_and_other_references_begin_anew():
    metric = ClassScores()
    for known in (["a", "b", "c"], ["a", "b"]):
        metric.prepare([[label] for label in known])
        metric.update(known, [[label] for label in known])
        assert {name: float(value) for name, value in metric.compute().items()} == {"accuracy": 100, "macro_f1": 100}
        assert f"the {len(known)} classes" in metric.signature


def test_intervals_hold_the_score_and_leave_out_classes_that_a_sample_lacks():
    metric = ClassScores()
    metric.prepare([["a"]] * 30 + [["b"]])
    counts = metric.counts(["a"] * 31, [["a"]] * 30 + [["b"]], [])
    low, high = intervals(counts, metric.scores, Draws(bootstrap=200))["macro_f1"]
    assert low < float(metric.scores(counts.sum(0)[None])["macro_f1"][0]) < high == 100


def test_too_many_classes_are_no_classes():
    with pytest.raises(UserError, match="references must have at most 500 classes, but have 501: choose exact_match"):
        ClassScores().settle([[str(number)] for number in range(501)])
