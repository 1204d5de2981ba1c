"""Characters and words of a stream of lines that the model never saw in training."""

import logging
from collections import Counter
from collections.abc import Sequence

from seq2seq.data.space_mark import readable
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.symbols import UNK

logger = logging.getLogger(__name__)
_SHOWN, _PIECES, _MOST = 60, 8, 10  # characters of a text, pieces that a warning quotes, and those that the sum does


class Unseen:
    """Counts what the vocabulary lacks: warned of at the first line that holds any, and summed up at the end."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.counts: Counter[str] = Counter()
        self.lines = 0

    def add(self, texts: Sequence[str]) -> None:
        """Count what the texts hold, and warn of the first that holds any."""
        for text, ids in zip(texts, self.tokenizer.encode(texts), strict=True):
            if UNK not in ids:
                continue
            pieces = [readable(piece).strip() or " " for piece in self.tokenizer.unknown(text)]
            if not self.lines:
                _warn(list(dict.fromkeys(pieces)), text)
            self.lines += 1
            self.counts.update(part for piece in pieces for part in self._parts(piece))

    def sum_up(self) -> None:
        """Tell how many lines and characters there were, if there is more to tell than the warning did."""
        if self.lines < 2:
            return
        shown = ", ".join(f"{part[:_SHOWN]!r} {count:,}" for part, count in self.counts.most_common(_MOST))
        more = len(self.counts) - _MOST
        logger.warning(
            "%s lines held what was never seen in training, %s times in all: %s%s",
            f"{self.lines:,}", f"{self.counts.total():,}", shown, f", and {more:,} more" if more > 0 else "",
        )  # fmt: skip

    def _parts(self, piece: str) -> list[str]:
        """The characters of a piece that are unknown by themselves; the piece where it is a word of known ones."""
        return [character for character in piece if not self.tokenizer.ids(character)] or [piece]


def _warn(pieces: list[str], text: str) -> None:
    shown = ", ".join(repr(piece[:_SHOWN]) for piece in pieces[:_PIECES]) + (", ..." if len(pieces) > _PIECES else "")
    logger.warning("never seen in training, translated as unknown: %s (in %r; said once)", shown, text[:_SHOWN])
