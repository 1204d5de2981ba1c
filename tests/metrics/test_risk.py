"""Risks of single sentences by the scores that there are."""

from functools import partial

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from seq2seq.config.buildable import TABLE
from seq2seq.errors import UserError
from seq2seq.metrics.characters import CharacterErrors
from seq2seq.metrics.classes import ClassScores
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.metrics.pronunciation import PronunciationScores
from seq2seq.metrics.risk import Risk
from seq2seq.metrics.scores import Scores
from seq2seq.metrics.translation import TranslationScores

REFERENCES = [["K AE T"], ["K AE T", "K AA T S"], ["D AO G"]]
HYPOTHESES = ["K AE T", "K AA T", ""]
TEXT = "the cat sat on the big red mat"
CHINESE = [["今天天气很好我们去公园散步吧"], ["他昨天买了一本新书"]]
NEARLY_CHINESE = ["今天天气很好我们去公园玩", "他昨天买了一本旧书"]
# A metric, with references that it settles by and hypotheses of which some are wrong.
TEXTS = [
    (CharacterErrors, REFERENCES, HYPOTHESES),
    (ClassScores, [["cat"], ["cat"], ["dog"]], ["cat", "dog", "dog"]),
    (partial(ClassScores, words=True), [["N V"], ["N V"]], ["N V", "N N"]),
    (ExactMatch, REFERENCES, HYPOTHESES),
    (PronunciationScores, REFERENCES, HYPOTHESES),
    (TranslationScores, [[TEXT]], ["the cat sat on the mat"]),
    (TranslationScores, CHINESE, NEARLY_CHINESE),
    (partial(TranslationScores, tokenize="zh"), CHINESE, NEARLY_CHINESE),
]
_HIGHER = ("accuracy", "bleu", "chrf", "exact_match", "macro_f1")


def risks(metrics: dict[str, Scores], hypotheses, references, *names: str) -> list[float]:
    return Risk(metrics, references, names)(hypotheses, references, [""] * len(hypotheses)).tolist()


@pytest.mark.parametrize(("metric", "references", "hypotheses"), TEXTS)
def test_it_is_what_the_scores_of_a_metric_that_has_seen_the_references_lack(metric, references, hypotheses):
    prepared = metric()
    prepared.prepare(references)
    of_sentences = prepared.of_sentences(prepared.counts(hypotheses, references, [""] * len(hypotheses)))
    for name, scores in of_sentences.items():
        lacking = 1 - scores / 100 if name in _HIGHER else scores / 100
        found = risks({"own": metric()}, hypotheses, references, name)
        assert found == pytest.approx(lacking.tolist()), name
        assert len(set(found)) > 1 or len(found) == 1, name


def test_the_law_holds_for_every_metric_of_texts():
    named = {name.rpartition(".")[2] for name in TABLE if name.startswith("seq2seq.metrics.")}
    assert named - {"ForecastErrors"} == {getattr(one, "func", one).__name__ for one, _, _ in TEXTS}


def test_chinese_is_split_by_its_own_rules():
    zh = [1 - BLEU(tokenize="zh", effective_order=True).sentence_score(said, known).score / 100
          for said, known in zip(NEARLY_CHINESE, CHINESE, strict=True)]  # fmt: skip
    assert risks({"translation": TranslationScores()}, NEARLY_CHINESE, CHINESE) == pytest.approx(zh)
    assert max(zh) < 0.3


def test_the_right_class_has_no_risk_and_a_wrong_one_has_it_all():
    found = risks({"classes": ClassScores()}, ["cat", "dog"], [["cat"], ["cat"]], "macro_f1")
    assert np.array(found) == pytest.approx([0.0, 1.0])


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
        Risk({"exact_match": ExactMatch()}, [], ["bleu"])
    assert str(error.value) == "risk must be among edits, exact_match, scores of metrics, but is 'bleu'."
