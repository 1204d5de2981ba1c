"""Text survives: what goes through a tokenizer comes back, whatever the script."""

import unicodedata
from functools import lru_cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from seq2seq.config.builder import build
from seq2seq.config.places import CONF
from seq2seq.data.examples import Example, Splits
from seq2seq.data.text import Change, TextForm, changed, decoded, formed_splits
from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.errors import UserError

OPTIONS = sorted(path.stem for path in (CONF / "tokenizer").glob("*.yaml") if path.stem not in ("auto", "run"))
# Phones with modifiers and tie bars, composed and combining marks, joiners, spaces of several kinds, symbols that NFKC
# rewrites, emoji of several characters, scripts that stack their marks, quotes and markup.
SURVIVORS = [
    "pʰ tʲ kʷ d͡ʑ t͡s ɾ̥ ã ɔ̃ː ˈa.ɹi ʌ̹k̚k͈",
    "é e\u0301 x\u0302 ñ ệ",
    "می\u200cخواهم क\u094d\u200dष नमस्ते",
    "5\u00a0km, x\u202fy, 1\u2009000, a  b   c",
    "½ ² № ™ … ﬁ Ⅳ ㎏ ﷺ",
    "👩\u200d👩\u200d👧 👍🏽 🇬🇷 ❤\ufe0f",
    "안녕 天地玄黄 ひらがな カ\u3099 สวัสดี",
    "%s of {name}: <b>'it's'</b> & 100% \\n",
    "ΐ ᾳ\u0345 ς Ὀ İ ı ẞ ß",
]
ALPHABET = sorted(set("".join(SURVIVORS)))
WORDS = sorted(set(" ".join(SURVIVORS).split(" ")) - {""})
SIZED = {"bpe": 250, "unigram": 190}


@lru_cache
def tokenizer_of(option: str, form: str = "nfc") -> Tokenizer:
    """The target tokenizer of an option of conf/, learnt from all of these texts and from every character alone."""
    node = OmegaConf.to_container(OmegaConf.load(CONF / "tokenizer" / f"{option}.yaml"))
    if node["target"] in SIZED:
        node["source_size"] = node["target_size"] = SIZED[node["target"]]
    texts = [*SURVIVORS, *ALPHABET, *WORDS, *(TextForm(form)(text) for text in (*SURVIVORS, *ALPHABET))]
    return (
        build(node, "tokenizer")
        .train([Example("ab", (text,)) for text in texts if text.strip()], TextForm(form))
        .target
    )


@pytest.mark.parametrize("form", ["nfc", "nfkc", "none"])
@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_encoded_comes_back(option, form):
    tokenizer = tokenizer_of(option, form)
    wanted = [TextForm(form)(text) for text in SURVIVORS]
    for text in SURVIVORS if option not in ("word", "char_word") else [text for text in SURVIVORS if "  " not in text]:
        if not tokenizer.unknown(text):
            assert tokenizer.decode(tokenizer.encode([text])) == [TextForm(form)(text)]
    covered = [text for text in wanted if not tokenizer.unknown(text)]
    assert len(covered) >= len(wanted) - 1


@settings(deadline=None, max_examples=60)
@given(st.data())
@pytest.mark.parametrize("option", OPTIONS)
def test_whatever_the_vocabulary_covers_comes_back(option, data):
    tokenizer = tokenizer_of(option)
    parts = WORDS if "word" in option else ALPHABET
    text = data.draw(st.lists(st.sampled_from([*parts, " "]), max_size=12).map((" " if "word" in option else "").join))
    if not tokenizer.unknown(text):
        assert tokenizer.decode(tokenizer.encode([text])) == [unicodedata.normalize("NFC", text).strip()]


@pytest.mark.parametrize("form", ["nfc", "nfkc", "none"])
@given(
    st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from([*ALPHABET, " ", "\ufeff", "\u0301"])), max_size=20)
)
@example(" \ufeff \u00a0a\u0301\ufeff\n")
@example("\u3000\u2028")
def test_a_form_is_taken_once_and_has_no_space_at_its_ends(form, text):
    once = TextForm(form)(text)
    assert TextForm(form)(once) == once == once.strip().strip("\ufeff")
    if form != "none":
        assert unicodedata.is_normalized(form.upper(), once)


def test_forms_differ_in_what_they_make_equal():
    assert [TextForm(form)("e\u0301ʰ") for form in ("nfc", "nfkc", "none")] == ["éʰ", "éh", "e\u0301ʰ"]


def test_another_form_is_refused():
    with pytest.raises(UserError, match=r"^form must be one of nfc, nfkc, none, but is 'nfd'\.$"):
        TextForm("nfd")


def test_sources_and_references_take_the_form_and_what_changed_is_counted():
    splits = Splits([Example(" e\u0301", ("b ", "b"))], [Example("x", ("\ufeffy",))], [Example("z", ("z",))])
    found, change = formed_splits(TextForm(), splits)
    assert found == Splits([Example("é", ("b",))], [Example("x", ("y",))], [Example("z", ("z",))])
    assert change == Change(3, " e\u0301")
    assert str(change) == "3 texts, such as ' e\u0301'"
    assert changed(TextForm(), ["a"]) == Change(0)


def test_a_line_of_bytes_loses_its_end_and_mark_and_nothing_else():
    assert decoded(b"\xef\xbb\xbf a\xc2\xa0 \r\n") == " a\u00a0 "
    assert decoded("a\u2028b\u0085c".encode()) == "a\u2028b\u0085c"
    assert decoded(b"a\xff") == "a\ufffd"


# ---- Pieces that are never cut


def learnt(**options) -> Tokenizers:
    examples = [Example("%s of {name}, 100%", ("{name}: %1$s, <br/>",)), Example("some of me", ("me of some",))] * 4
    return build({"_target_": "seq2seq.data.tokenizers.TokenizerTrainer", **options}, "tokenizer").train(examples)


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram"])
def test_what_is_protected_is_one_piece_that_comes_out_as_it_went_in(kind):
    size = {"char": None, "bpe": 30, "unigram": 19}[kind]
    sizes = {"source_size": size, "target_size": size} if size else {}
    found = learnt(source=kind, target=kind, protect=r"%([0-9]\$)?[sd]|\{\w+\}", symbols=["<br/>", "a,b"], **sizes)
    for tokenizer in (found.source, found.target):  # what one side has, the other may have to say
        for symbol in ("%s", "%1$s", "{name}", "<br/>", "a,b"):
            ids = tokenizer.ids(symbol)
            assert tokenizer.pieces(ids) == [symbol]
            for text in (symbol, f"s{symbol}e", f"of {symbol}", f"{symbol}{symbol} o"):
                assert ids[0] in tokenizer.encode([text])[0]
                assert tokenizer.decode(tokenizer.encode([text])) == [text]


def test_a_pattern_that_is_none_and_an_empty_symbol_are_refused():
    with pytest.raises(UserError, match=r"^tokenizer\.protect must be a regular expression, but '\(' is none: missing"):
        learnt(source="char", target="char", protect="(")
    with pytest.raises(
        UserError, match=r"^tokenizer\.symbols must each have a character that is no space, but are \[' '\]"
    ):
        learnt(source="char", target="char", symbols=[" "])


@pytest.mark.parametrize("options", [{"protect": "%s"}, {"symbols": ["%s"]}])
def test_words_need_no_protection(options):
    with pytest.raises(UserError, match="symbols and protect must be empty where both sides are cut into words"):
        learnt(source="word", target="word", **options)
    assert (
        learnt(source="char", target="word", **options).target.size == learnt(source="char", target="word").target.size
    )
