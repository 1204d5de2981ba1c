"""Kinds of text, told by looking at some: symbols with spaces between them, words, or sentences."""

from collections.abc import Sequence
from enum import StrEnum
from statistics import median

from seq2seq.metrics.writing import Writing, writing_of

_LOOKED_AT = 300  # characters of a text
MOST_SYMBOLS = 500  # at most: no inventory of phones or of tags is larger, any vocabulary of words is
_TIMES_SEEN = 10  # of a symbol, in the mean: words of a language are rarer, as most are seen once
SYMBOL_CHARACTERS = 2.5  # of a symbol at most, in the mean: tells them where there are few texts
_SENTENCE_WORDS, _SENTENCE_CHARACTERS = 3, 40  # at least, in most texts; some scripts have no spaces


class TextKind(StrEnum):
    """A kind of text, by what its tokens should be."""

    SYMBOLS = "space-separated symbols"
    WORDS = "words"
    SENTENCES = "sentences"
    FRAMES = "frames"


def kind_of(texts: Sequence[str]) -> TextKind:
    """The kind of most of the texts: SYMBOLS where few ones make up all, SENTENCES where a text has several words.

    One long word is a sentence in scripts that have no spaces alone; a genome, a molecule or a hash is a word.
    """
    beginnings = [text[:_LOOKED_AT] for text in texts] or [""]
    words = [text.split() for text in beginnings]
    length = median(map(len, words))
    if length >= 2 and _few([word for text in words for word in text]):
        return TextKind.SYMBOLS
    long = median(map(len, beginnings)) >= _SENTENCE_CHARACTERS
    long = long and (length >= 2 or writing_of(beginnings) is not Writing.SPACED)
    return TextKind.SENTENCES if length >= _SENTENCE_WORDS or long else TextKind.WORDS


def _few(words: Sequence[str]) -> bool:
    """Tell whether words are symbols of an inventory."""
    inventory = len({*words})
    short = sum(map(len, words)) <= SYMBOL_CHARACTERS * len(words)
    return inventory <= MOST_SYMBOLS and (short or inventory * _TIMES_SEEN <= len(words))
