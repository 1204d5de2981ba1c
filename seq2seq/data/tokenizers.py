"""SentencePiece models: text to ids and back."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sentencepiece

from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS, PAD, UNK

KINDS = ("unigram", "bpe", "char", "word")
_SPACE = "\u2581"  # how SentencePiece writes a space
_UNLIMITED = 2**22  # more words than any output layer can take


class Tokenizer:
    """A SentencePiece model of one side, kept as its serialised bytes."""

    def __init__(self, serialized: bytes) -> None:
        self.serialized = serialized
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=serialized)

    @property
    def size(self) -> int:
        """The number of pieces in the vocabulary, the reserved ones among them."""
        return self._processor.get_piece_size()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without BOS and EOS."""
        return self._processor.encode(list(texts))

    def decode(self, ids: Sequence[list[int]]) -> list[str]:
        """Texts, one for each list of token ids."""
        return self._processor.decode(list(ids)) if ids else []

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Pieces, one for each token id."""
        return [self._processor.id_to_piece(index) for index in ids]

    def surface(self, text: str) -> list[str]:
        """Pieces that a text is cut into, those that the vocabulary lacks among them."""
        return self._processor.encode(text, out_type=str)

    def join(self, pieces: Sequence[str]) -> str:
        """The text of pieces, those that the vocabulary lacks as they are; where all others are words, so are they."""
        mark = _SPACE if self._has_words_alone else ""
        marked = [piece if piece.startswith(mark) else mark + piece for piece in pieces]
        return self._processor.decode(marked).replace(_SPACE, " ").strip()

    @cached_property
    def _has_words_alone(self) -> bool:
        return all(piece.startswith(_SPACE) for piece in self.pieces(range(EOS + 1, self.size)))

    def ids(self, piece: str) -> list[int]:
        """Ids of a piece, at the beginning of a word and within one; none if the vocabulary lacks it."""
        forms = (piece, _SPACE + piece)
        found = dict.fromkeys(map(self._processor.piece_to_id, forms))
        return [index for index in found if self._processor.id_to_piece(index) in forms]

    def unknown(self, text: str) -> list[str]:
        """The pieces of a text that the vocabulary lacks."""
        return [piece for piece in self.surface(text) if self._processor.piece_to_id(piece) == UNK]


@dataclass(frozen=True)
class Tokenizers:
    """A tokenizer for each side; one and the same object twice if they are joint."""

    source: Tokenizer
    target: Tokenizer

    @classmethod
    def from_bytes(cls, source: bytes, target: bytes) -> "Tokenizers":
        """Tokenizers of two serialised models; equal ones are joint."""
        first = Tokenizer(source)
        return cls(first, first if source == target else Tokenizer(target))

    @classmethod
    def load(cls, folder: Path) -> "Tokenizers":
        """Tokenizers that `save` wrote to a folder."""
        return cls.from_bytes(*((folder / f"{side}.model").read_bytes() for side in ("source", "target")))

    def save(self, folder: Path) -> None:
        """Write both models to a folder, as source.model and target.model."""
        folder.mkdir(parents=True, exist_ok=True)
        for side in ("source", "target"):
            (folder / f"{side}.model").write_bytes(getattr(self, side).serialized)


class TokenizerTrainer:
    """Learns both tokenizers from training examples.

    `source` and `target` name a kind: unigram (Kudo 2018), bpe (Sennrich et al. 2016), char or word. A vocabulary
    size of None takes every character or word there is. Joint tokenizers are learnt from both sides at once.
    """

    def __init__(
        self,
        *,
        source: str,
        target: str,
        source_size: int | None = None,
        target_size: int | None = None,
        joint: bool = False,
        character_coverage: float = 1.0,
        normalization: str = "nmt_nfkc",
    ) -> None:
        if joint and (source, source_size) != (target, target_size):
            raise UserError(
                "joint=true needs the same kind and size on both sides, but they are "
                f"{source}/{source_size} and {target}/{target_size}."
            )
        self.sides = (source, source_size), (target, target_size)
        self.joint = joint
        self.character_coverage = character_coverage
        self.normalization = normalization

    def train(self, examples: Sequence[Example]) -> Tokenizers:
        """Learn from the examples and return the tokenizers. Raises UserError if a kind or size does not fit them."""
        sources = [example.source for example in examples]
        targets = [target for example in examples for target in example.targets]
        if self.joint:
            both = self._learn(sources + targets, *self.sides[0], side="source")
            return Tokenizers(both, both)
        return Tokenizers(
            self._learn(sources, *self.sides[0], side="source"),
            self._learn(targets, *self.sides[1], side="target"),
        )

    def _learn(self, lines: list[str], kind: str, size: int | None, *, side: str) -> Tokenizer:
        if kind not in KINDS:
            raise UserError(f"{side} must be one of {', '.join(KINDS)}, but is {kind!r}.")
        if size is None and kind in ("unigram", "bpe"):
            raise UserError(f"{side}_size must be a number for kind {kind}, but is null.")
        # Pieces of a word model begin at spaces, so every word needs one before it; single characters do not.
        # Not use_all_vocab where there is no size: character_coverage would do nothing.
        options: dict[str, Any] = (
            {"vocab_size": _UNLIMITED, "hard_vocab_limit": False} if size is None else {"vocab_size": size}
        )
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=model,
                model_type=kind,
                # Pieces of a word model begin at spaces, so every word needs one before it; characters do not.
                add_dummy_prefix=kind != "char",
                character_coverage=self.character_coverage,
                normalization_rule_name=self.normalization,
                max_sentence_length=1 << 20,
                num_threads=1,  # the scores depend on it, and equal seeds must give equal runs
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
                minloglevel=2,
                **options,
            )
        except (RuntimeError, OSError) as error:
            raise UserError(_explain(str(error), kind, size, side)) from None
        return Tokenizer(model.getvalue())


def _explain(message: str, kind: str, size: int | None, side: str) -> str:
    name = f"{side}_size"
    if most := re.search(r"value <= (\d+)", message):
        return f"{name} must be at most {most[1]}, all that the data can fill, but is {size}."
    if least := re.search(r"smaller than required_chars\D+(\d+)\D+(\d+)", message):
        return f"{name} must be at least {least[2]}, one for every character, but is {size}."
    return f"The {kind} tokenizer of the {side} could not be learnt: {message.splitlines()[-1]}"
