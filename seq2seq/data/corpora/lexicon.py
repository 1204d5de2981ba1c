"""Lexicons of pronunciations as CMUdict, Kaldi and aligners have them: a word, white space, and its phones."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

LEXICON = "lexicon"  # in the place of a delimiter
_COMMENT = ";;;"
_VARIANT = re.compile(r"(.)\(\d+\)$")  # READ(2), another pronunciation of READ
_MOST = 500  # symbols that a notation may have


def lexicon_rows(lines: Iterable[str], start: int = 1) -> Iterator[tuple[int, list[str]]]:
    """Words and their phones, each behind the number of its line; comments, which begin with `;;;`, are none.

    A word with a number in brackets is that word, which has another pronunciation there.
    """
    for number, line in enumerate(lines, start):
        if not line.startswith(_COMMENT):
            word, *phones = line.split(maxsplit=1) or [""]
            yield number, [_VARIANT.sub(r"\1", word), *(" ".join(rest.split()) for rest in phones)]


def is_lexicon(lines: Sequence[str]) -> bool:
    """Tell whether lines seem to be of a lexicon: words of their own, and few symbols, which come again and again."""
    rows = [cells for _, cells in lexicon_rows(lines)]
    if not rows or any(len(cells) < 2 for cells in rows):
        return False
    symbols = Counter(symbol for _, phones in rows for symbol in phones.split())
    words = {word for word, _ in rows}
    return 2 * len(words) > len(rows) and 2 * len(symbols) <= symbols.total() and len(symbols) <= _MOST
