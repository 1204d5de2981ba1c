import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.metrics.characters import CharacterErrors
from seq2seq.metrics.pronunciation import PronunciationScores

texts = st.text(alphabet="abc", max_size=6)
lines = st.lists(st.tuples(texts, st.lists(texts.filter(bool), min_size=1, max_size=3)), min_size=1, max_size=6)


def scores_of(metric, *updates):
    for update in updates:
        metric.update([hypothesis for hypothesis, _ in update], [known for _, known in update])
    return {name: float(value) for name, value in metric.compute().items()}


def test_edits_are_summed_before_they_are_divided():
    cases = [("cats", ["cat"]), ("a dog", ["a dog"]), ("", ["ox"])]
    found = scores_of(CharacterErrors(), cases)
    assert found == {"cer": pytest.approx(100 * 3 / 10), "exact_match": pytest.approx(100 / 3)}


def test_spaces_count_as_characters():
    assert scores_of(CharacterErrors(), [("ab", ["a b"])])["cer"] == pytest.approx(100 / 3)


def test_the_closest_reference_counts():
    assert scores_of(CharacterErrors(), [("abc", ["xyzw", "abd"])])["cer"] == pytest.approx(100 / 3)


@settings(deadline=None, max_examples=40)
@given(lines)
def test_it_is_the_phone_error_rate_of_characters_as_phones(cases):
    spaced = [(" ".join(hypothesis), [" ".join(one) for one in known]) for hypothesis, known in cases]
    found, expected = scores_of(CharacterErrors(), cases), scores_of(PronunciationScores(), spaced)
    assert found["cer"] == pytest.approx(expected["per"])
    assert found["exact_match"] == pytest.approx(100 - expected["wer"])
