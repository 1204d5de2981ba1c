"""Facts of data that settings follow from: how much there is, and of which kind."""

import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

import numpy as np

from seq2seq.data.examples import Splits
from seq2seq.data.series import Series
from seq2seq.data.spreading import spread_over
from seq2seq.data.text_kind import TextKind, kind_of
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.metrics.writing import Writing, writing_of

_LOOKED_AT = 1000  # examples
_COUNTED_TOGETHER = 10_000  # texts
_SHORT = 40  # characters of a source, below which one that a word answers is read by letters, as dates are
_PHRASE_WORDS = 3
_RARE = 10  # times in train, below which little is learnt of a character
_RARE_SHARE, _RARE_LEFT = 0.01, 0.2  # of a text that is much, and of that what decomposing it may leave


@dataclass(frozen=True)
class DataKind:
    """The kinds of text that are read and written, and how many pairs and kinds of characters there are.

    Text is `composed` where many of its characters are rare, as syllables of Hangul are, but made of few common ones.
    Targets of frames are `labels` where each is one word, and there are few of these. Targets are `phrases` where most
    have several words, or are in a script without spaces: BLEU counts nothing in others.
    """

    source: TextKind
    target: TextKind
    pairs: int
    characters: int
    composed: bool = False
    labels: bool = False
    phrases: bool = False

    @classmethod
    def of(cls, splits: Splits) -> "DataKind":
        """The kinds of most of train's examples."""
        some = spread_over(splits.train, _LOOKED_AT)
        sources, targets = [splits.untagged(example) for example in some], [example.targets[0] for example in some]
        read = _characters(example.source for example in splits.train)
        written = _characters(target for example in splits.train for target in example.targets)
        composed = _is_composed(read) or _is_composed(written)
        kinds = _kinds_of(sources, targets)
        labels = kinds[0] is TextKind.FRAMES and _are_labels(targets)
        characters = len(read.keys() | written.keys())
        return cls(*kinds, _pairs(splits), characters, composed, labels, _are_phrases(targets))

    @property
    def has_sentences(self) -> bool:
        """True where either side is made of sentences."""
        return TextKind.SENTENCES in (self.source, self.target)

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"


@dataclass(frozen=True)
class DataSize:
    """The number of pairs in train, and the mean tokens of one: source and target, each with its end."""

    pairs: int
    tokens: float

    @classmethod
    def of(cls, splits: Splits, tokenizers: Tokenizers, max_length: int) -> "DataSize":
        """The size of train, with the mean length of some of its examples; no side counts as longer than may be."""
        some = spread_over(splits.train, _LOOKED_AT)
        texts = [example.source for example in some], [example.targets[0] for example in some]
        sources, targets = tokenizers.encode_pairs(*texts)
        tokens = sum(min(len(side), max_length) + 1 for side in (*sources, *targets))
        return cls(_pairs(splits), tokens / max(len(some), 1))


def _kind_of(texts: Sequence[str]) -> TextKind:
    return TextKind.FRAMES if any(isinstance(text, Series) for text in texts) else kind_of(texts)


def _kinds_of(sources: Sequence[str], targets: Sequence[str]) -> tuple[TextKind, TextKind]:
    """The kinds of both sides; a short phrase that one word answers, as a date, is read as a word is."""
    source, target = _kind_of(sources), _kind_of(targets)
    short = source is TextKind.SENTENCES and target is TextKind.WORDS and median(map(len, sources)) < _SHORT
    return (TextKind.WORDS if short else source), target


def _are_phrases(targets: Sequence[str]) -> bool:
    texts = [target for target in targets if not isinstance(target, Series)]
    if not texts:
        return False
    return median(len(text.split()) for text in texts) >= _PHRASE_WORDS or writing_of(texts) is not Writing.SPACED


def _are_labels(targets: Sequence[str]) -> bool:
    """Tell whether targets are classes: one word each, and in the mean seen twice."""
    return 2 * len({*targets}) <= len(targets) and all(
        not isinstance(target, Series) and len(target.split()) == 1 for target in targets
    )


def _characters(texts: Iterable[str]) -> Counter[str]:
    """The number of each character."""
    found, texts = np.zeros(sys.maxunicode + 1, dtype=np.int64), iter(texts)
    while some := list(islice(texts, _COUNTED_TOGETHER)):
        codes = np.frombuffer("".join(some).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        counts = np.bincount(codes)
        found[: len(counts)] += counts
    return Counter({chr(code): int(found[code]) for code in np.flatnonzero(found)})


def _is_composed(characters: Counter[str]) -> bool:
    """Tell whether many characters are rare, and few of what they are made of."""
    decomposed: Counter[str] = Counter()
    for character, times in characters.items():
        for part in unicodedata.normalize("NFD", character):
            decomposed[part] += times
    share = _rare_share(characters)
    return share >= _RARE_SHARE and _rare_share(decomposed) <= _RARE_LEFT * share


def _rare_share(characters: Counter[str]) -> float:
    """The share of a text that its rare characters make up."""
    return sum(times for times in characters.values() if times < _RARE) / max(characters.total(), 1)


def _pairs(splits: Splits) -> int:
    return sum(len(example.targets) for example in splits.train)
