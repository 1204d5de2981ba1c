"""Kinds of text, told by looking."""

import random

import pytest

from seq2seq.data.text_kind import TextKind, kind_of

PHONES = [*"abdeɡiklmnoprstuvz", "t͡ʃ"]
WORDS = ["the", "house", "stands", "green", "hill", "river", "runs", "mill", "where", "children", "play", "trees"]


def texts(symbols: list[str], count: int, length: int, space: str) -> list[str]:
    draw = random.Random(count)
    return [space.join(draw.choices(symbols, k=length)) for _ in range(count)]


@pytest.mark.parametrize("count", [3, 30, 300])
def test_few_symbols_with_spaces_between_them_are_symbols(count):
    assert kind_of(texts(PHONES, count, 6, " ")) is TextKind.SYMBOLS


@pytest.mark.parametrize("count", [3, 30, 300])
def test_texts_of_one_word_are_words(count):
    assert kind_of(texts(PHONES, count, 6, "")) is TextKind.WORDS


@pytest.mark.parametrize("count", [3, 100])
def test_texts_of_several_words_are_sentences(count):
    numbered = [f"{word}{number}" for word in WORDS for number in range(100)]
    assert kind_of(texts(numbered, count, 5, " ")) is TextKind.SENTENCES


def test_long_texts_without_spaces_are_sentences():
    assert kind_of(texts(list("的一是不了人我在有他这为之大来以个中上们"), 50, 60, "")) is TextKind.SENTENCES


@pytest.mark.parametrize("symbols", ["ACGT", "CNO()=1cn", "0123456789abcdef"])
def test_a_long_word_of_a_script_with_spaces_is_a_word(symbols):
    assert kind_of(texts(list(symbols), 50, 60, "")) is TextKind.WORDS


def test_one_text_without_an_end_changes_nothing():
    assert kind_of([*texts(PHONES, 50, 6, ""), "a " * 10**6]) is TextKind.WORDS


def test_of_no_texts_it_is_words():
    assert kind_of([]) is TextKind.WORDS
