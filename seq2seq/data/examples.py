"""Examples, each a source with its acceptable targets, and the splits of a corpus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2seq.data.alignments import Alignment
from seq2seq.data.corpus_mix import CorpusMix, untagged


@dataclass(frozen=True)
class Example:
    """A source text and every target text that answers it, perhaps with what each of these is aligned to.

    Of several corpora that are mixed, it knows its own by name.
    """

    source: str
    targets: tuple[str, ...]
    alignments: tuple[Alignment, ...] = ()
    corpus: str = ""


@dataclass(frozen=True)
class Splits:
    """Examples to learn from, to select by, and to report on (possibly none).

    Where dev was held out of train, the bound that did it is kept, so that the same is held out of a file that grows;
    of several corpora, by name. A mix tells how much of an epoch each of these has. Columns of frames have names in
    tables, by which they are found in other files.
    """

    train: Sequence[Example]
    dev: Sequence[Example]
    test: Sequence[Example] = field(default_factory=list)
    held_out_below: float | Mapping[str, float] | None = None
    mix: CorpusMix | None = None
    features: tuple[str, ...] = ()

    def untagged(self, example: Example) -> str:
        """The source of an example without the tag of its corpus."""
        return example.source if self.mix is None else untagged(self.mix.tags.get(example.corpus), example.source)
