"""Normalisations of text that a SentencePiece model applies to what it encodes."""

import re
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_PLACE = re.compile(rb"seq2seq-\w{8}/nfd\.tsv")
REVERSIBLE = ("identity", "nfd")  # what decoding undoes
RULES = (*REVERSIBLE, "nfkc", "nfkc_cf", "nmt_nfkc", "nmt_nfkc_cf")


@contextmanager
def rule_of(normalization: str) -> Iterator[dict[str, Any]]:
    """SentencePiece's own options of a normalisation; the trained model holds what they stand for."""
    if normalization != "nfd":
        yield {"normalization_rule_name": normalization}
        return
    with tempfile.TemporaryDirectory(prefix="seq2seq-") as folder:
        file = Path(folder, "nfd.tsv")
        file.write_text(_decompositions(), encoding="ascii")
        yield {"normalization_rule_tsv": str(file)}


def without_place(model: bytes) -> bytes:
    """The bytes of a model without the name of the folder that its rule was in, so that equal ones are equal."""
    return _PLACE.sub(b"seq2seq-________/nfd.tsv", model)


@cache
def _decompositions() -> str:
    """Lines of Unicode numbers: a composed character that NFC leaves whole, a tab, and what NFD makes of it."""
    lines = []
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        parts = unicodedata.normalize("NFD", character)
        if parts != character == unicodedata.normalize("NFC", character):
            lines.append(f"{number:X}\t{' '.join(f'{ord(part):X}' for part in parts)}\n")
    return "".join(lines)
