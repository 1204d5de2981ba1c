"""Ways of writing, as far as scores depend on them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from functools import cache


class Writing(Enum):
    """Ways of writing a language; the value says which, to a reader."""

    SPACED = "with spaces between words"
    CHINESE = "in Han characters without spaces"
    JAPANESE = "in Han characters and kana without spaces"
    UNSPACED = "in letters without spaces between words"


# Scripts by how the names of their letters in Unicode begin.
_HAN, _KANA = ("CJK", "IDEOGRAPHIC"), ("HIRAGANA", "KATAKANA", "HENTAIGANA")
# Those that break lines within runs of letters (classes SA and AK of UAX 14), and ancient ones.
_UNSPACED = (
    *("THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "NEW TAI LUE", "TAI LE", "TAI VIET", "TAI THAM", "AHOM"),
    *("JAVANESE", "BALINESE", "BATAK", "KAWI", "BRAHMI", "GRANTHA"),
    *("CUNEIFORM", "EGYPTIAN", "ANATOLIAN", "LINEAR A", "LINEAR B"),
)
_WIDTHS = ("HALFWIDTH ", "FULLWIDTH ")  # before the name of the same letter
_JAPANESE_KANA = 0.1  # their share of Japanese letters is higher, that of a Chinese text which quotes some lower


def writing_of(texts: Iterable[str]) -> Writing:
    """The way most letters of the texts are written; with spaces where there are no letters."""
    letters: Counter[tuple[str, ...]] = Counter()
    for character, times in Counter("".join(texts)).items():
        if unicodedata.category(character).startswith("L"):
            letters[_group(character)] += times
    han, kana, unspaced = (letters[group] for group in (_HAN, _KANA, _UNSPACED))
    if 2 * (han + kana + unspaced) <= letters.total():
        return Writing.SPACED
    if unspaced > han + kana:
        return Writing.UNSPACED
    return Writing.JAPANESE if kana > _JAPANESE_KANA * (han + kana) else Writing.CHINESE


@cache
def _group(character: str) -> tuple[str, ...]:
    """The group of scripts without spaces that a letter is of; none for all others."""
    name = unicodedata.name(character, "")
    for width in _WIDTHS:
        name = name.removeprefix(width)
    group = next((group for group in (_HAN, _KANA, _UNSPACED) if _begins(name, group)), ())
    # As wide as Han characters (UAX 11) are else Hangul, which has spaces, and Yi, Tangut, Bopomofo, which have none.
    wide = unicodedata.east_asian_width(character) == "W" and not name.startswith("HANGUL")
    return group or (_UNSPACED if wide else ())


def _begins(name: str, scripts: Iterable[str]) -> bool:
    """Tell whether a name begins with a script's, as a whole word."""
    return any(re.match(rf"{script}\b", name) for script in scripts)
