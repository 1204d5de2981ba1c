import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from seq2seq.metrics.exact_match import ExactMatch

LAW = settings(deadline=None, max_examples=50)
few_texts = st.sampled_from(["", "a", "b", "a b"])
sentences = st.lists(st.tuples(few_texts, st.lists(few_texts, min_size=1, max_size=3)), min_size=1, max_size=10)


def score_of(*updates: list[tuple[str, list[str]]]) -> float:
    metric = ExactMatch()
    for update in updates:
        metric.update([hypothesis for hypothesis, _ in update], [known for _, known in update])
    return float(metric.compute()["exact_match"])


@LAW
@given(sentences)
def test_the_score_is_the_share_of_hypotheses_among_their_references(cases):
    right = sum(any(hypothesis == reference for reference in known) for hypothesis, known in cases)
    assert score_of(cases) == pytest.approx(100 * right / len(cases))


@LAW
@given(sentences, st.integers(0, 10))
def test_halves_added_up_are_the_whole(cases, cut):
    assert score_of(cases[:cut], cases[cut:]) == score_of(cases)


def test_only_the_very_same_text_is_right():
    references = [["Ein Haus."]] * 4
    assert score_of(list(zip(["Ein Haus.", "ein Haus.", "Ein Haus", ""], references, strict=True))) == 25.0


def test_states_of_several_processes_add_up():
    first, second = ExactMatch(), ExactMatch()
    first.update(["a", "b"], [["a"], ["a"]])
    second.update(["c"], [["d", "c"]])
    first.merge_state(second)
    assert_close(float(first.compute()["exact_match"]), 200 / 3, rtol=1e-6, atol=0)  # float32


def test_a_reset_forgets():
    metric = ExactMatch()
    metric.update(["a"], [["b"]])
    metric.reset()
    metric.update(["a"], [["a"]])
    assert metric.compute() == {"exact_match": 100.0}


def test_hypotheses_and_references_must_be_as_many():
    with pytest.raises(ValueError, match="shorter"):
        ExactMatch().update(["a", "b"], [["a"]])
