"""Risks of single sentences by the scores that there are."""

import pytest
from sacrebleu.metrics import BLEU, CHRF

from seq2seq.errors import UserError
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.metrics.pronunciation import PronunciationScores
from seq2seq.metrics.risk import Risk
from seq2seq.metrics.scores import Scores
from seq2seq.metrics.translation import TranslationScores

REFERENCES = [["K AE T"], ["K AE T", "K AA T S"], ["D AO G"]]
HYPOTHESES = ["K AE T", "K AA T", ""]
TEXT = "the cat sat on the big red mat"


def risks(metrics: dict[str, Scores], hypotheses, references, *names: str) -> list[float]:
    return Risk(metrics, names)(hypotheses, references, [""] * len(hypotheses)).tolist()


def test_of_a_pronunciation_it_is_the_share_of_edits_to_the_closest_reference_and_one_if_there_are_any():
    metrics = {"pronunciation": PronunciationScores()}
    assert risks(metrics, HYPOTHESES, REFERENCES) == pytest.approx([0.0, 1 / 3 + 1, 2.0])
    assert risks(metrics, HYPOTHESES, REFERENCES, "per") == pytest.approx([0.0, 1 / 3, 1.0])


def test_of_other_texts_it_is_the_share_of_edited_characters_and_one_if_there_are_any():
    assert risks({"exact_match": ExactMatch()}, ["abcd", "abxd", "ab"], [["abcd"], ["abcd", "zz"], ["ab"]]) == [
        0.0, 1.25, 0.0,
    ]  # fmt: skip
    assert risks({}, ["ab"], [["abcd"]]) == [0.5]


@pytest.mark.parametrize("hypothesis", [TEXT, "the cat sat on a mat", "cat mat", "no", ""])
def test_of_a_translation_it_is_what_smoothed_bleu_of_the_sentence_lacks(hypothesis):
    metrics = {"translation": TranslationScores(), "exact_match": ExactMatch()}
    bleu = BLEU(effective_order=True).sentence_score(hypothesis, [TEXT]).score
    assert risks(metrics, [hypothesis], [[TEXT]]) == pytest.approx([1 - bleu / 100])
    chrf = CHRF().sentence_score(hypothesis, [TEXT]).score
    assert risks(metrics, [hypothesis], [[TEXT]], "chrf") == pytest.approx([1 - chrf / 100])
    assert 0 <= risks(metrics, [hypothesis], [[TEXT]], "ter")[0] <= 1


def test_a_perfect_sentence_has_no_risk_by_any_score_and_the_scores_of_corpora_stay():
    metrics = {
        "translation": (translation := TranslationScores()),
        "pronunciation": PronunciationScores(),
        "exact_match": ExactMatch(),
    }
    for name in ("bleu", "chrf", "ter", "wer", "per", "exact_match", "edits"):
        assert risks(metrics, ["a b"], [["a b"]], name) == pytest.approx([0.0])
        assert risks(metrics, ["c d e"], [["a b"]], name)[0] > 0.5
    assert not translation.scorers["bleu"].effective_order
    assert "eff:no" in translation.signature


def test_a_score_that_there_is_not_is_refused():
    with pytest.raises(UserError) as error:
        Risk({"exact_match": ExactMatch()}, ["bleu"])
    assert str(error.value) == "risk must be among edits, exact_match, scores of metrics, but is 'bleu'."
