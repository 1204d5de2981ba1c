"""Lexicons of pronunciations as CMUdict, Kaldi and aligners have them: a word, white space, and its phones alone."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seq2seq.data.text_kind import MOST_SYMBOLS, SYMBOL_CHARACTERS
from seq2seq.errors import UserError, shown

LEXICON = "lexicon"  # in the place of a delimiter
_COMMENT = ";;;"
_REMARK = re.compile(r"\s#.*")  # behind the phones
_VARIANT = re.compile(r"(.)\(\d+\)$")  # READ(2), another pronunciation of READ
_PROBABILITY = re.compile(r"[01]|[01]?\.\d+|[01]\.|\d(\.\d+)?[eE]-\d+")


def lexicon_rows(lines: Iterable[str], start: int = 1) -> Iterator[tuple[int, list[str]]]:
    """Words and their phones, each behind the number of its line.

    Comments are left out, with lines of nothing else: whole lines that begin with `;;;`, and what follows ` #`. A word
    with a number in brackets is that word, which has another pronunciation there.
    """
    for number, line in enumerate(lines, start):
        kept = _REMARK.sub("", line)
        if not is_comment(line) and (kept.strip() or not line.strip()):
            word, *phones = kept.split(maxsplit=1) or [""]
            yield number, [_VARIANT.sub(r"\1", word), *(" ".join(rest.split()) for rest in phones)]


def is_comment(line: str) -> bool:
    """Tell whether a whole line is a comment."""
    return line.startswith(_COMMENT)


def is_lexicon(lines: Sequence[str]) -> bool:
    """Tell whether lines seem to be of a lexicon: words of their own, and few symbols, which come again and again."""
    rows = [cells for _, cells in lexicon_rows(lines)]
    if not rows or any(len(cells) < 2 for cells in rows):
        return False
    symbols = Counter(symbol for _, phones in rows for symbol in phones.split())
    words = {word for word, _ in rows}
    return 2 * len(words) > len(rows) and 2 * len(symbols) <= symbols.total() and len(symbols) <= MOST_SYMBOLS


def may_be_lexicon(lines: Sequence[str]) -> bool:
    """Tell whether lines, however few, are of a lexicon where one is expected: symbols are short, and no two words."""
    if is_lexicon(lines):
        return True
    rows = [cells for _, cells in lexicon_rows(lines)]
    if any(len(cells) < 2 for cells in rows):
        return False
    symbols = [symbol for _, phones in rows for symbol in phones.split()]
    letters = sum(len(word) for word, _ in rows)
    short = sum(map(len, symbols)) < SYMBOL_CHARACTERS * len(symbols)
    return short and len(symbols) > len(rows) and 3 * len(symbols) >= letters


def check_phones(path: str | Path, lines: Sequence[str]) -> None:
    """Check that no column of probabilities is before the phones. Raises UserError where each line has one."""
    rows = [cells for _, cells in lexicon_rows(lines) if len(cells) == 2]
    firsts = [phones.split(maxsplit=1)[0] for _, phones in rows]
    if all(map(_PROBABILITY.fullmatch, firsts)) and not all(map(str.isdigit, firsts)):
        raise UserError(
            f"{path} must have the phones of each word behind it, but has probabilities, as in "
            f"{shown(' '.join(rows[0]))}: take these columns out."
        )
