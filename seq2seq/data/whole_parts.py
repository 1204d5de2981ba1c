"""Lines cut into pieces, with unknown words and characters one by one, which SentencePiece puts together."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from seq2seq.data.piece_table import kind_of
from seq2seq.data.space_mark import SPACE
from seq2seq.symbols import EOS, UNK

_WORD = re.compile(f"{SPACE}?[^{SPACE}]+|{SPACE}")

WHOLE: dict[str, Callable[[str], list[str]]] = {"word": _WORD.findall, "char": list}


class Cuts:
    """Pieces of lines by a SentencePiece processor, whose model is given as bytes, too.

    Of words, and of characters, every unknown one is a piece, as every known one is. Of subwords, which have no unit
    that the unknown could be counted in, neighbours that are unknown are one piece.
    """

    def __init__(self, processor: Any, serialized: bytes) -> None:
        self._processor, self._serialized = processor, serialized

    @cached_property
    def kind(self) -> str:
        """The kind of pieces that the model was trained for: unigram, bpe, word or char."""
        return kind_of(self._serialized)

    def knows(self, piece: str) -> bool:
        """Tell whether a piece of a line is in the vocabulary; what is called as a reserved one is not."""
        return bool(self._processor.piece_to_id(piece) > EOS)

    def pieces(self, line: str) -> list[str]:
        """Pieces of a line."""
        return [part for piece in self._given(line) for part in self._apart(piece)]

    def ids(self, line: str) -> list[int]:
        """Ids of a line's pieces."""
        return [self._processor.piece_to_id(piece) if self.knows(piece) else UNK for piece in self.pieces(line)]

    def unknown(self, line: str) -> list[str]:
        """Parts of a line that the vocabulary lacks: words where pieces are such, or characters, neighbours as one."""
        lacked = [piece for piece in self._given(line) if not self.knows(piece)]
        return [word for piece in lacked for word in self._words(piece)]

    def _words(self, piece: str) -> list[str]:
        return _WORD.findall(piece) if self.kind == "word" else [piece]

    def _given(self, line: str) -> list[str]:
        """Pieces as SentencePiece gives them: neighbours that are unknown are one."""
        pieces: list[str] = self._processor.encode(line, out_type=str)
        return pieces

    def _apart(self, piece: str) -> list[str]:
        if len(piece) < 2 or self.knows(piece) or self.kind not in WHOLE:
            return [piece]
        return WHOLE[self.kind](piece)
