"""Facts of data that settings follow from: how much there is, and of which kind."""

from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.data.examples import Example, Splits
from seq2seq.data.text_kind import TextKind, kind_of
from seq2seq.data.tokenizers import Tokenizers

_LOOKED_AT = 1000  # examples


@dataclass(frozen=True)
class DataKind:
    """The kinds of text that are read and written, and how many pairs and kinds of characters there are."""

    source: TextKind
    target: TextKind
    pairs: int
    characters: int

    @classmethod
    def of(cls, splits: Splits) -> "DataKind":
        """The kinds of most of train's examples."""
        some = _spread(splits.train)
        sources, targets = [example.source for example in some], [example.targets[0] for example in some]
        characters = {char for example in splits.train for text in (example.source, *example.targets) for char in text}
        return cls(kind_of(sources), kind_of(targets), _pairs(splits), len(characters))

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
        some = _spread(splits.train)
        sources = tokenizers.source.encode([example.source for example in some])
        targets = tokenizers.target.encode([example.targets[0] for example in some])
        tokens = sum(min(len(side), max_length) + 1 for side in (*sources, *targets))
        return cls(_pairs(splits), tokens / max(len(some), 1))


def _pairs(splits: Splits) -> int:
    return sum(len(example.targets) for example in splits.train)


def _spread(examples: Sequence[Example]) -> Sequence[Example]:
    """Examples from all of the order, not too many."""
    return examples[:: max(1, len(examples) // _LOOKED_AT)][:_LOOKED_AT]
