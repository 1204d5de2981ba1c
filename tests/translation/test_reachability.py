"""References that no output can equal are found before training."""

from pathlib import Path

import pytest

from seq2seq.config.builder import build
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import PieceOptions, Tokenizers, TokenizerTrainer
from seq2seq.decoding.length import LengthLimits
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.run import train_tokenizers
from seq2seq.runs.settling import settle
from seq2seq.translation.reachability import unreachable


def learnt(*targets: str, kind: str = "char", **options) -> Tokenizers:
    trainer = TokenizerTrainer(source="char", target=kind, options=PieceOptions(**options))
    return trainer.train([Example("abc", (target,)) for target in targets])


def told(tokenizers: Tokenizers, *references: str, **limits) -> str:
    examples = [Example("abc", references)]
    found = unreachable(examples, tokenizers, LengthLimits(**limits), max_source_tokens=10)
    assert found.references == len(references)
    return str(found) if found.count else ""


@pytest.mark.parametrize("kind", ["char", "word"])
@pytest.mark.parametrize("text", ["pʰ a tʲ", "a\u00a0b ½", "e\u0301 é", "a\u200cb", " a "])
def test_what_was_seen_is_within_reach(kind, text):
    tokenizers = learnt(text, kind=kind)
    assert told(tokenizers, tokenizers.target.form(text)) == ""


def test_a_piece_that_was_never_seen_is_named():
    assert told(learnt("p h a"), "pʰ a", "p a", "ʰ") == (
        "2 of 3 references (66.7 %) are what no output can equal, such as 'pʰ a': the target vocabulary lacks 'ʰ'"
    )


def test_words_that_were_never_seen_are_named_one_by_one():
    assert told(learnt("p h a", kind="word"), "a \u00f0 i c a i").endswith("lacks 'ð', 'i', 'c'")
    assert told(learnt("pha", kind="char"), "p a").endswith("lacks ' '")


def test_a_rewriting_tokenizer_is_named():
    assert told(learnt("pʰ a h", normalization="nmt_nfkc"), "pʰ a") == (
        "1 of 1 references (100.0 %) are what no output can equal, such as 'pʰ a': "
        "the tokenizer writes it as 'ph a' (tokenizer.normalization)"
    )


def test_limits_of_length_are_named():
    within, beyond = "a" * 7, "a" * 8
    limits = {"max_ratio": 1.0, "max_extra": 4}  # 4 source tokens with EOS: at most 8 with EOS
    assert told(learnt("a"), within, **limits) == ""
    assert told(learnt("a"), beyond, **limits) == (
        "1 of 1 references (100.0 %) are what no output can equal, such as 'aaaaaaaa': it has 9 tokens with its end, "
        "but the length limits allow 8: raise decoding.length.max_ratio or max_extra"
    )


def test_nothing_is_out_of_reach_where_there_is_nothing():
    assert unreachable([], learnt("a"), LengthLimits(), max_source_tokens=10).count == 0


WORDS = Path(__file__).parents[3] / "shared" / "data" / "sigmorphon2021"


@pytest.mark.skipif(not WORDS.is_dir(), reason="the data are not there")
@pytest.mark.parametrize("language", ["geo", "gre", "kor"])
def test_with_nothing_but_data_every_pronunciation_of_dev_is_within_reach(plain_config_of, language):
    files = (f"data.{split}={WORDS / language}_{split}.tsv" for split in ("train", "dev"))
    config = plain_config_of("train", "data=tsv", *files)
    splits = load_splits(config)
    config, tokenizers = settle(config, splits, train_tokenizers, says=False)
    length = build(config["decoding"], "decoding").length
    found = unreachable(splits.dev, tokenizers, length, max_source_tokens=config["batches"]["max_length"])
    assert found.references == len(splits.dev) in (100, 1000)
    assert found.count == 0, str(found)
