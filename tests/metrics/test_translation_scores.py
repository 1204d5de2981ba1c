import sys
from typing import Any

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER

from seq2seq.errors import UserError
from seq2seq.metrics.translation import TranslationScores, _say, _warn_of_zero

LAW = settings(deadline=None, max_examples=25)
# sacreBLEU computes in double; the scores come back as float32.
TOLERANCE = {"rel": 1e-6, "abs": 1e-6}
HYPOTHESES = [
    "A man sleeps in a green room on a sofa.",
    "The train for Cologne leaves from platform 12 at 7:45 am.",
    "Children are playing in the snow; one of them throws a ball!",
    'The girl asked: "Why not?"',
    "",
    "Two dogs run across the meadow, the third one (brown) is watching.",
    "An older man with a red hat plays guitar",
    "Please restart the computer to complete the installation of %s.",
]
REFERENCES = [
    ["A man sleeping in a green room on a couch."],
    ["The train to Cologne departs at 7:45 a.m. from platform 12.", "The Cologne train leaves platform 12 at 7:45."],
    ["Children are playing in the snow; one throws a ball!"],
    ['"Why not?", asked the girl.', 'The girl asked, "Why not?"', "Why not, asked the girl?"],
    ["Nothing was said."],
    ["Two dogs are running across the meadow; the third, a brown one, is watching."],
    ["An older man wearing a red hat is playing the guitar.", "An elderly man in a red hat plays the guitar"],
    ["Please restart your computer to finish installing %s."],
]
FIRST_ONLY = [known[:1] for known in REFERENCES]
TWO_EACH = [[known[0], known[-1].upper()] for known in REFERENCES]
# All that BLEU, chrF and TER look at: punctuation, numbers, case, other scripts, repeated words, nothing at all.
word = st.sampled_from(["the", "The", "cat", "cat's", "sat", "3.5", "%d", "(on)", "mat,", ".", "жить", "猫が", "don't"])
text = st.lists(word, max_size=9).map(" ".join)
corpora = st.lists(st.tuples(text, st.lists(text.filter(bool), min_size=1, max_size=3)), min_size=1, max_size=5)


def ours(*updates: tuple[list[str], list[list[str]]], **options: Any) -> dict[str, float]:
    metric = TranslationScores(**options)
    for hypotheses, references in updates:
        metric.update(hypotheses, references)
    return {name: float(value) for name, value in metric.compute().items()}


def sacrebleus(hypotheses: list[str], references: list[list[str]]) -> dict[str, float]:
    most = max(map(len, references))
    streams = [[known[i] if i < len(known) else None for known in references] for i in range(most)]
    return {
        "bleu": sacrebleu.corpus_bleu(hypotheses, streams).score,
        "chrf": sacrebleu.corpus_chrf(hypotheses, streams).score,
        "ter": sacrebleu.corpus_ter(hypotheses, streams).score,
    }


@pytest.mark.parametrize("references", [FIRST_ONLY, TWO_EACH, REFERENCES], ids=["one", "two", "one to three"])
def test_scores_of_sentences_are_sacrebleus(references):
    scores = ours((HYPOTHESES, references))
    assert scores == pytest.approx(sacrebleus(HYPOTHESES, references), **TOLERANCE)
    assert 20 < scores["bleu"] < 80  # sentences of a real corpus, not a corner


@LAW
@given(corpora)
def test_scores_of_any_corpus_are_sacrebleus(corpus):
    hypotheses, references = map(list, zip(*corpus, strict=True))
    scores = ours((hypotheses, references), tokenize="13a", asian_support=False)
    assert scores == pytest.approx(sacrebleus(hypotheses, references), **TOLERANCE)


@pytest.mark.parametrize("hypothesis", ["xyz qqq", "", "Ξ"])
def test_hypotheses_without_any_overlap_are_scored_as_sacrebleu_does(hypothesis):
    hypotheses = [hypothesis] * len(FIRST_ONLY)
    scores = ours((hypotheses, FIRST_ONLY))
    assert scores == pytest.approx(sacrebleus(hypotheses, FIRST_ONLY), **TOLERANCE)
    assert scores["bleu"] < 2
    assert scores["ter"] > 99


def test_perfect_hypotheses_have_perfect_scores():
    hypotheses = [known[-1] for known in REFERENCES]
    assert ours((hypotheses, REFERENCES)) == pytest.approx({"bleu": 100, "chrf": 100, "ter": 0}, **TOLERANCE)


@pytest.mark.parametrize("cut", range(len(HYPOTHESES) + 1))
def test_halves_added_up_are_the_whole(cut):
    halves = [(HYPOTHESES[part], REFERENCES[part]) for part in (slice(cut), slice(cut, None))]
    assert ours(*halves) == pytest.approx(ours((HYPOTHESES, REFERENCES)), **TOLERANCE)


def test_states_of_several_processes_add_up():
    first, second = TranslationScores(), TranslationScores()
    first.update(HYPOTHESES[::2], REFERENCES[::2])
    second.update(HYPOTHESES[1::2], REFERENCES[1::2])
    first.merge_state(second)
    merged = {name: float(value) for name, value in first.compute().items()}
    assert merged == pytest.approx(sacrebleus(HYPOTHESES, REFERENCES), **TOLERANCE)


def test_a_reset_forgets():
    metric = TranslationScores()
    metric.update(["something else"], [["entirely"]])
    metric.reset()
    metric.update(HYPOTHESES, REFERENCES)
    scores = {name: float(value) for name, value in metric.compute().items()}
    assert scores == ours((HYPOTHESES, REFERENCES))


def test_the_signature_is_sacrebleus():
    metric = TranslationScores()
    metric.update(HYPOTHESES, FIRST_ONLY)
    version = f"version:{sacrebleu.__version__}"
    assert metric.signature == (
        f"bleu nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|{version}; "
        f"chrf nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|{version}; "
        f"ter nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|{version}"
    )


# Other scripts, and options

# A text of each way of writing, and what BLEU splits it by.
WRITTEN = {
    "Das ist ein Haus.": "13a",
    "Ο σκύλος κοιμάται στο σπίτι": "13a",
    "나는 오늘 학교에 갔다": "13a",
    "हिन्दी में लिखा है": "13a",
    "天地玄黄,宇宙洪荒。": "zh",
    "我在看《の》这个字的用法,很有意思。": "zh",
    "吾輩は猫である。": "char",
    "カタカナ": "char",
    "ผมชอบกินข้าว": "char",
    "ຂ້ອຍມັກກິນເຂົ້າ": "char",
    "ខ្ញុំចូលចិត្តបាយ": "char",
    "ကျွန်တော် ထမင်းကြိုက်တယ်": "char",
    "བོད་ཡིག": "char",
    "ｱｲｳｴｵｶ": "char",
    "ꦗꦮꦱꦸꦤ꧀ꦢ": "char",
    "ᬅᬓ᭄ᬱᬭᬩᬮᬶ": "char",
    "ꆈꌠꁱꂷꀀ": "char",
    "ㄓㄨㄧㄣㄈㄨㄏㄠ": "char",
    "ᨠᩣᩴᨾᩮᩬᩥᨦ": "char",
    "ᦅᧄᦟᦹᧉ": "char",
    "ᥖᥭᥰᥘᥫᥴ": "char",
    "ꪼꪕꪒꪾꪎ": "char",
    "𗼇𗟲𗖵𘝞": "char",
    "𛅰𛅱𛅲𛅳": "char",
    "ﾡﾢﾣﾤ ﾥﾦ ﾧ ﾨ ﾩ": "13a",
    "Ｆｕｌｌ ｗｉｄｔｈ ｌｅｔｔｅｒｓ ｈａｖｅ ｓｐａｃｅｓ": "13a",
    "ꤊꤢꤛꤢ꤭ ꤜꤟꤤ꤬ ꤊꤢꤛꤢ꤭ ꤜꤟꤤ꤬": "13a",
    "Die Zeichen 天地 bedeuten Himmel und Erde": "13a",
    "12 + 3 = 15": "13a",
    "": "13a",
}
CHINESE = ["天地玄黄。", "日月盈昃辰宿列张。"]
# What sacreBLEU itself says to the same texts, where one character is wrong.
WRONG = ["天地玄黄。", "日月盈昃辰宿列章。"]


def prepared(*references: str, **options: Any) -> TranslationScores:
    metric = TranslationScores(**options)
    metric.prepare([[reference] for reference in references])
    return metric


def scored(hypotheses: list[str], references: list[str], **options: Any) -> dict[str, float]:
    metric = prepared(*references, **options)
    metric.update(hypotheses, [[reference] for reference in references])
    return {name: float(value) for name, value in metric.compute().items()}


@pytest.mark.parametrize(("text", "tokenize"), WRITTEN.items())
def test_auto_goes_by_the_script_of_the_references(text, tokenize):
    metric = prepared(text)
    metric.update(["a"], [[text]])
    assert f"|tok:{tokenize}|" in metric.signature


@pytest.mark.parametrize("text", [text for text in WRITTEN if text])
def test_the_right_text_is_right_in_every_script(text):
    sentences = [text] * 3
    found = scored(sentences, sentences)
    assert found == pytest.approx({"bleu": 100, "chrf": 100, "ter": 0})


def test_chinese_is_scored_as_sacrebleu_does_with_its_options_for_chinese():
    found = scored(WRONG, CHINESE)
    assert found == pytest.approx(
        {
            "bleu": sacrebleu.corpus_bleu(WRONG, [CHINESE], tokenize="zh").score,
            "chrf": sacrebleu.corpus_chrf(WRONG, [CHINESE]).score,
            "ter": sacrebleu.corpus_ter(WRONG, [CHINESE], normalized=True, asian_support=True).score,
        },
        **TOLERANCE,
    )
    assert found["ter"] == pytest.approx(100 / 14)  # one of fourteen characters
    assert found["bleu"] > 80


def test_most_letters_of_all_references_decide():
    mixed = ["a house", *CHINESE]
    metric = prepared(*mixed)
    metric.update(["a house"], [["a house"]])  # one process sees only this one
    assert "tok:zh" in metric.signature


def test_processes_that_see_other_references_agree():
    references = ["a house by the sea", "天", *CHINESE]
    hypotheses = ["a house by the lake", "天", *WRONG]
    whole = scored(hypotheses, references)
    first, second = prepared(*references), prepared(*references)
    first.update(hypotheses[:1], [[reference] for reference in references[:1]])
    second.update(hypotheses[1:], [[reference] for reference in references[1:]])
    first.merge_state(second)
    assert {name: float(value) for name, value in first.compute().items()} == pytest.approx(whole)


def test_to_prepare_is_to_begin_anew():
    metric = prepared("ein Haus")
    metric.update(["ein Haus"], [["kein Baum"]])
    metric.prepare([[text] for text in CHINESE])
    metric.update(CHINESE, [[text] for text in CHINESE])
    assert float(metric.compute()["bleu"]) == pytest.approx(100)


@pytest.mark.parametrize(
    ("options", "score", "sacrebleus"),
    [
        ({"tokenize": "char"}, "bleu", BLEU(tokenize="char")),
        ({"tokenize": "none"}, "bleu", BLEU(tokenize="none")),
        ({"lowercase": True}, "bleu", BLEU(lowercase=True)),
        ({"lowercase": True}, "chrf", CHRF(lowercase=True)),
        ({"word_order": 2}, "chrf", CHRF(word_order=2)),
        ({"asian_support": True}, "ter", TER(normalized=True, asian_support=True)),
    ],
    ids=lambda given: str(given) if isinstance(given, dict | str) else "as sacrebleu",
)
def test_an_option_changes_the_score_to_sacrebleus_and_shows_in_the_signature(options, score, sacrebleus):
    hypotheses = [text.swapcase() for text in HYPOTHESES]
    references = [known[0] for known in REFERENCES]
    plain, changed = prepared(*references), prepared(*references, **options)
    for metric in (plain, changed):
        metric.update(hypotheses, FIRST_ONLY)
    expected = sacrebleus.corpus_score(hypotheses, [references]).score
    assert float(changed.compute()[score]) == pytest.approx(expected, **TOLERANCE)
    assert float(plain.compute()[score]) != pytest.approx(expected, rel=1e-3)
    assert f"{score} {sacrebleus.get_signature()}" in changed.signature
    assert f"{score} {sacrebleus.get_signature()}" not in plain.signature


def test_asian_support_can_be_turned_off_where_it_would_be_chosen():
    assert scored(WRONG, CHINESE, asian_support=False)["ter"] == pytest.approx(50)  # one of two "words"


def test_what_auto_has_chosen_is_said_once_where_it_is_not_13a(caplog):
    _say.cache_clear()
    caplog.set_level("INFO", "seq2seq")
    prepared("a house")
    prepared("Haus", tokenize="13a")
    prepared(*CHINESE, tokenize="13a")
    assert not [text for text in caplog.messages if "written in" in text]
    for _ in range(2):
        prepared(*CHINESE)
    assert [text for text in caplog.messages if "written in" in text] == [
        "references are written in Han characters without spaces: BLEU splits texts by metrics.translation.tokenize=zh"
    ]


@pytest.mark.parametrize(
    ("references", "options", "warns"),
    [
        (["bonjour", "merci"], {}, "13a"),
        (["one two three", "four"], {}, "13a"),
        (["天地"], {}, "zh"),
        (["bonjour", "je ne sais pas"], {}, ""),
        (["bonjour"], {"tokenize": "char"}, ""),
        (["et, oui!"], {}, ""),
        ([""], {}, ""),
    ],
)
def test_bleu_that_must_be_zero_is_told_once_at_the_start(caplog, references, options, warns):
    _warn_of_zero.cache_clear()
    for _ in range(2):
        found = scored(references, references, **options)
    told = [text for text in caplog.messages if "will be 0" in text]
    assert (found["bleu"] == 0) == (warns != "" or references == [""])
    assert told == (
        [
            "BLEU will be 0 whatever is written: it counts four tokens in a row, and no reference has as many (split "
            f"by metrics.translation.tokenize={warns}); look at chrF and exact match, or choose metrics=exact_match"
        ]
        if warns
        else []
    )


def test_a_tokenizer_that_sacrebleu_lacks():
    with pytest.raises(UserError) as error:
        TranslationScores(tokenize="zhh")
    names = "none, zh, 13a, intl, char, ja-mecab, ko-mecab, spm, flores101, flores200"
    assert str(error.value).startswith(f"tokenize must be one of auto, {names}")
    assert str(error.value).endswith(", but is 'zhh'.")


def test_a_tokenizer_whose_package_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "MeCab", None)
    with pytest.raises(UserError, match=r"^tokenize=ja-mecab needs what is not installed here \(.*\): install it, or"):
        TranslationScores(tokenize="ja-mecab")


def test_a_word_order_below_zero():
    with pytest.raises(UserError) as error:
        TranslationScores(word_order=-1)
    assert str(error.value) == "word_order must be at least 0, but is -1: 2 makes chrF++."
