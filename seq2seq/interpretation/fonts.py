"""Fonts for texts in any script, of those that are installed."""

import logging
import unicodedata
from collections.abc import Sequence
from functools import cache

from matplotlib import font_manager

logger = logging.getLogger(__name__)

_FIRST = "DejaVu Sans"  # which comes with matplotlib
# Good faces of scripts that it lacks, as they are named on Linux, Windows and macOS; any other comes after them.
_PREFERRED = (
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Noto Sans Devanagari",
    "Nirmala UI",
    "Kohinoor Devanagari",
    "Noto Sans Arabic",
    "Arial Unicode MS",
)
# Boxes, parts of formulas, signs for letters, and pictures that matplotlib cannot scale.
_NO_TEXT = ("Last Resort", "STIX", "cm", "Wingdings", "Webdings", "Noto Color Emoji", "Apple Color Emoji")
_BOX = "\u25a1"


def font_families(texts: Sequence[str]) -> list[str]:
    """The families that hold all letters of the texts, the first that everything else is written in."""
    needed = dict.fromkeys(_family(letter) for text in texts for letter in text)
    return [_FIRST, *(family for family in needed if family and family != _FIRST)]


def writable(text: str) -> str:
    """The text with a box for every letter that no installed font has; a script is warned of once."""
    return "".join(letter if _family(letter) else _in_place_of(letter) for letter in text)


def _in_place_of(letter: str) -> str:
    if letter.isspace():
        return " "
    script = unicodedata.name(letter, "UNKNOWN").split()[0]
    _warn(script)
    return _BOX


@cache
def _warn(script: str) -> None:
    logger.warning(
        "no installed font has all letters of %s: pictures show %s instead; install one that has, like Noto Sans",
        *(script, _BOX),
    )


@cache
def _family(letter: str) -> str | None:
    """The family that a letter is written in; None if there is none."""
    return next((family for family in _families() if ord(letter) in _letters(family)), None)


@cache
def _letters(family: str) -> frozenset[int]:
    try:
        return frozenset(font_manager.get_font(_families()[family]).get_charmap())
    except (OSError, RuntimeError):  # a file that was removed, or that FreeType does not read
        return frozenset()


@cache
def _families() -> dict[str, str]:
    """Files of the installed families that have an upright face, in the order in which they are asked for a letter."""
    fonts = font_manager.fontManager.ttflist
    upright = [font for font in fonts if font.style == "normal" and font.weight in (400, "normal", "regular", "book")]
    installed = {font.name: font.fname for font in upright if not font.name.startswith(_NO_TEXT)}
    preferred = [name for name in (_FIRST, *_PREFERRED) if name in installed]
    return {name: installed[name] for name in [*preferred, *sorted(set(installed).difference(preferred))]}
