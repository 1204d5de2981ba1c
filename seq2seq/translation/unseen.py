"""Characters and words of texts that the model never saw in training."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.space_mark import readable
from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.symbols import UNK

logger = logging.getLogger(__name__)
_SHOWN, _PIECES, _MOST = 60, 8, 10  # characters of a text, pieces that a warning quotes, and those that the sum does
_CASES: dict[str, Callable[[str], str]] = {"upper case": str.upper, "lower case": str.lower}


class _First(NamedTuple):
    """The first text that holds what was never seen, with these pieces, and the case in which all of it is known."""

    pieces: list[str]
    text: str
    case: str

    def quoted(self, remark: str = "") -> str:
        """The pieces, and the text with a remark."""
        pieces = ", ".join(repr(piece[:_SHOWN]) for piece in self.pieces[:_PIECES])
        more = ", ..." if len(self.pieces) > _PIECES else ""
        change = _CASES.get(self.case)
        known = f"; all of it is known in {self.case}, as {change(self.text)[:_SHOWN]!r}" if change else ""
        if "\t" in self.pieces:
            known = "; of pairs give the sources alone, as `cut -f1` has them"
        return f"{pieces}{more} (in {self.text[:_SHOWN]!r}{remark}){known}"


class Unseen:
    """Counts what the vocabulary lacks: warned of at the first text that holds any, and summed up at the end.

    Where all of a text is known in upper or in lower case, that is told, too. Warnings name what became of it, and
    where it was not seen.
    """

    def __init__(self, tokenizer: Tokenizer, became: str = "translated as unknown", where: str = "in training") -> None:
        self.tokenizer, self.became, self.where = tokenizer, became, where
        self.counts: Counter[str] = Counter()
        self.cases: Counter[str] = Counter()  # of texts that are known in another case, by its name
        self.first: _First | None = None
        self.lines = 0

    def add(self, texts: Sequence[str]) -> None:
        """Count what the texts hold, and warn of the first that holds any."""
        before = self.first
        self.count(texts)
        if self.first is not None and before is None:
            first = self.first.quoted("; said once")
            logger.warning("never seen %s, %s: %s", self.where, self.became, first)

    def count(self, texts: Sequence[str]) -> None:
        """Count what the texts hold."""
        for text, ids in zip(texts, self.tokenizer.encode(texts), strict=True):
            if UNK not in ids:
                continue
            pieces = [readable(piece).strip(" ") or " " for piece in self.tokenizer.unknown(text)]
            case = self._case(text)
            self.first = self.first or _First(list(dict.fromkeys(pieces)), text, case)
            self.lines += 1
            self.cases.update([case] if case else [])
            self.counts.update(part for piece in pieces for part in self._parts(piece))

    def sum_up(self) -> None:
        """Tell how many lines, and words or characters, there were, if there is more to tell than the warning did."""
        if self.lines < 2:
            return
        shown = ", ".join(f"{part[:_SHOWN]!r} {count:,}" for part, count in self.counts.most_common(_MOST))
        others = len(self.counts) - _MOST
        more = f", and {others:,} more" if others > 0 else ""
        known = "".join(f"; {count:,} of these lines are known in {case}" for case, count in self.cases.most_common(1))
        logger.warning(
            "%s lines held what was never seen %s, %s times in all: %s%s%s",
            *(f"{self.lines:,}", self.where, f"{self.counts.total():,}", shown, more, known),
        )

    def _case(self, text: str) -> str:
        """The case in which all of a text is known; empty if there is none."""
        return next((name for name, change in _CASES.items() if self._knows(text, change(text))), "")

    def _knows(self, text: str, changed: str) -> bool:
        return changed != text and UNK not in self.tokenizer.encode([changed])[0]

    def _parts(self, piece: str) -> list[str]:
        """The characters of a piece that are unknown by themselves; the piece where it is a word, or of known ones."""
        if self.tokenizer.has_words_alone:
            return [piece]
        return [character for character in piece if not self.tokenizer.ids(character)] or [piece]


class UnseenInPairs:
    """Counts what the vocabularies lack of pairs that are scored, of either side; see `Unseen`."""

    def __init__(self, tokenizers: Tokenizers) -> None:
        became = "scored as unknown"
        reads_text = not isinstance(tokenizers.source, FrameReader)
        self.source = Unseen(tokenizers.source, became) if reads_text else None
        self.target = Unseen(tokenizers.written, became, "among targets in training")

    def add(self, sources: Sequence[str], targets: Sequence[str], ids: Sequence[Sequence[int]]) -> None:
        """Count what pairs hold, whose targets have these ids: a piece that can be copied is known."""
        if self.source is not None:
            self.source.add(sources)
        self.target.add([text for text, own in zip(targets, ids, strict=True) if UNK in own])

    def sum_up(self) -> None:
        """Tell how many lines, and words or characters, there were of each side; see `Unseen`."""
        for side in (self.source, self.target):
            if side is not None:
                side.sum_up()


def warn_of_unseen(tokenizers: Tokenizers, sources: Sequence[str]) -> None:
    """Warn of what was never seen of some sources, at once; see `Unseen`."""
    unseen = Unseen(tokenizers.source)
    unseen.add(sources)
    unseen.sum_up()


def warn_of_unseen_pairs(
    tokenizers: Tokenizers, sources: Sequence[str], targets: Sequence[str], ids: Sequence[Sequence[int]]
) -> None:
    """Warn of what was never seen of some pairs, at once; see `UnseenInPairs`."""
    unseen = UnseenInPairs(tokenizers)
    unseen.add(sources, targets, ids)
    unseen.sum_up()
