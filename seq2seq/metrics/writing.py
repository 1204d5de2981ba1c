"""Ways of writing, as far as scores depend on them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from enum import Enum


class Writing(Enum):
    """Ways of writing a language; the value says which, to a reader."""

    SPACED = "with spaces between words"
    CHINESE = "in Han characters without spaces"
    JAPANESE = "in Han characters and kana without spaces"
    UNSPACED = "in letters without spaces between words"


# The first word of a letter's name in Unicode is its script.
_HAN, _KANA = {"CJK"}, {"HIRAGANA", "KATAKANA"}
_UNSPACED = {"THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"}
_JAPANESE_KANA = 0.1  # their share of Japanese letters is higher, that of a Chinese text which quotes some lower


def writing_of(texts: Iterable[str]) -> Writing:
    """The way most letters of the texts are written; with spaces where there are no letters."""
    letters: Counter[str] = Counter()
    for character, times in Counter("".join(texts)).items():
        if unicodedata.category(character).startswith("L"):
            letters[re.split("[ -]", unicodedata.name(character, ""))[0]] += times
    han, kana, unspaced = (sum(letters[script] for script in scripts) for scripts in (_HAN, _KANA, _UNSPACED))
    if 2 * (han + kana + unspaced) <= letters.total():
        return Writing.SPACED
    if unspaced > han + kana:
        return Writing.UNSPACED
    return Writing.JAPANESE if kana > _JAPANESE_KANA * (han + kana) else Writing.CHINESE
