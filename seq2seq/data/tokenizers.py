"""SentencePiece models: text to ids and back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from random import Random

import sentencepiece

from seq2seq.data.examples import Example
from seq2seq.data.learnt_pieces import Texts, learnt_pieces
from seq2seq.data.normalization import without_place
from seq2seq.data.piece_options import PieceOptions, check_kind
from seq2seq.data.piece_table import drawn_pieces
from seq2seq.data.reserved_pieces import NAMES
from seq2seq.data.series import Series
from seq2seq.data.space_mark import SPACE, hidden, shown
from seq2seq.data.text import TextForm
from seq2seq.data.whole_parts import WHOLE, Cuts
from seq2seq.errors import UserError
from seq2seq.symbols import EOS, UNK
from seq2seq.whole_file import write_whole

_THREADS = 1  # starting others takes longer than most batches, and long where the processor is busy
_FEW = 8  # texts, up to which one call for each is faster than a batch, for which SentencePiece starts a thread


class Tokenizer:
    """A SentencePiece model of one side, kept as its serialised bytes, and the form of text that it takes."""

    def __init__(self, serialized: bytes, form: TextForm | None = None) -> None:
        self.serialized = without_place(serialized)
        self.form = form or TextForm()
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=serialized)
        self._cuts = Cuts(self._processor, self.serialized)

    @property
    def size(self) -> int:
        """The number of pieces in the vocabulary, the reserved ones among them."""
        return self._processor.get_piece_size()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without BOS and EOS. Raises UserError at frames, whose name is no text to read."""
        for text in texts:
            if isinstance(text, Series):
                raise UserError(f"{text.place} must be a text, which this model reads, but is frames.")
        lines = [hidden(self.form(text)) for text in texts]
        if len(lines) <= _FEW:
            found = [self._processor.encode(line) for line in lines]
        else:
            found = self._processor.encode(lines, num_threads=_THREADS)
        return [self._cuts.ids(line) if UNK in ids else ids for line, ids in zip(lines, found, strict=True)]

    def sample(self, texts: Sequence[str], alpha: float, seed: int) -> list[list[int]]:
        """Token ids of each text, cut in a way that is drawn with a strength: a function of the texts and the seed."""
        if self.cuts_whole:
            return self.encode(texts)  # which are cut in one way
        draw, numbers = drawn_pieces(self.serialized, alpha), Random(seed)
        return [draw("".join(self.surface(text)), numbers) for text in texts]

    def decode(self, ids: Sequence[list[int]]) -> list[str]:
        """Texts, one for each list of token ids."""
        few = len(ids) <= _FEW
        texts = map(self._processor.decode, ids) if few else self._processor.decode(list(ids), num_threads=_THREADS)
        return [self.form(shown(text)) for text in texts]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Pieces, one for each token id."""
        return [NAMES.get(index) or self._processor.id_to_piece(index) for index in ids]

    def surface(self, text: str) -> list[str]:
        """Pieces that a text is cut into, those that the vocabulary lacks among them."""
        return self._cuts.pieces(hidden(self.form(text)))

    def join(self, pieces: Sequence[str]) -> str:
        """The text of pieces, those that the vocabulary lacks as they are; where all others are words, so are they."""
        mark, unknown = SPACE if self.has_words_alone else "", self.pieces([UNK])[0]
        marked = [piece if piece.startswith(mark) or piece == unknown else mark + piece for piece in pieces]
        return self.form(shown(self._processor.decode(marked).replace(SPACE, " ")))

    @property
    def kind(self) -> str:
        """The kind of pieces that it was trained for: unigram, bpe, word or char."""
        return self._cuts.kind

    @property
    def cuts_whole(self) -> bool:
        """Tell whether texts are cut into words or characters, each of them one token, known or not."""
        return self.kind in WHOLE

    @cached_property
    def has_words_alone(self) -> bool:
        """Tell whether all pieces are whole words."""
        return all(piece.startswith(SPACE) for piece in self.pieces(range(EOS + 1, self.size)))

    @cached_property
    def has_characters_alone(self) -> bool:
        """Tell whether all pieces are single characters."""
        return all(len(piece) == 1 for piece in self.pieces(range(EOS + 1, self.size)))

    def begins_word(self, piece: str) -> bool:
        """Tell whether a piece is the beginning of a word."""
        return piece.startswith(SPACE)

    def parts(self, piece: str) -> list[int]:
        """Ids that another tokenizer's piece is cut into."""
        return self.encode([piece.replace(SPACE, " ")])[0]

    def ids(self, piece: str) -> list[int]:
        """Ids of a piece, at the beginning of a word and within one; none if the vocabulary lacks it."""
        forms = (piece, SPACE + piece)
        reserved = (index for index, name in NAMES.items() if name == piece)
        found = dict.fromkeys([*reserved, *map(self._processor.piece_to_id, forms)])
        return [index for index in found if self.pieces([index])[0] in forms]

    def unknown(self, text: str) -> list[str]:
        """Parts of a text that the vocabulary lacks: words where pieces are such, or characters, neighbours as one."""
        return self._cuts.unknown(hidden(self.form(text)))


@dataclass(frozen=True)
class Tokenizers:
    """A tokenizer for each side; one and the same object twice if they are joint."""

    source: Tokenizer
    target: Tokenizer

    @classmethod
    def from_bytes(cls, source: bytes, target: bytes, form: TextForm | None = None) -> "Tokenizers":
        """Tokenizers of two serialised models that take text in a form; equal ones are joint."""
        first = Tokenizer(source, form)
        return cls(first, first if source == target else Tokenizer(target, form))

    @classmethod
    def load(cls, folder: Path, form: TextForm | None = None) -> "Tokenizers":
        """Tokenizers that `save` wrote to a folder, taking text in a form."""
        source, target = ((folder / f"{side}.model").read_bytes() for side in ("source", "target"))
        return cls.from_bytes(source, target, form)

    @property
    def edits(self) -> bool:
        """Tell whether target ids are edits of the source rather than pieces of a text."""
        return False

    @property
    def written(self) -> Tokenizer:
        """The tokenizer of the texts that are written."""
        return self.target

    @property
    def serialized(self) -> dict[str, bytes]:
        """Models that make them up, by name, as bytes."""
        return {"source": self.source.serialized, "target": self.target.serialized}

    def encode_pairs(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of sources and of their targets, without BOS and EOS."""
        return self.source.encode(sources), self.target.encode(targets)

    def decode(self, sources: Sequence[str], ids: Sequence[list[int]]) -> list[str]:
        """Texts of target ids, one for each of the sources that they were said after."""
        return self.target.decode(ids)

    def save(self, folder: Path) -> None:
        """Write both models to a folder, as source.model and target.model."""
        folder.mkdir(parents=True, exist_ok=True)
        for side in ("source", "target"):
            write_whole(folder / f"{side}.model", getattr(self, side).serialized)


_EXACT = PieceOptions()


class TokenizerTrainer:
    """Learns both tokenizers from training examples.

    `source` and `target` name a kind: unigram (Kudo 2018), bpe (Sennrich et al. 2016), char or word. A vocabulary
    size of None takes every character or word there is; one that the data cannot fill is refused, or with
    `exact_size=False` lowered to what they can. Joint tokenizers are learnt from both sides at once. Raises UserError
    at another kind, and where subwords have no size.
    """

    def __init__(
        self,
        *,
        source: str,
        target: str,
        source_size: int | None = None,
        target_size: int | None = None,
        joint: bool = False,
        exact_size: bool = True,
        options: PieceOptions = _EXACT,
    ) -> None:
        if joint and (source, source_size) != (target, target_size):
            raise UserError(
                f"joint must be false where the sides differ, but is true with source {source} of size {source_size} "
                f"and target {target} of size {target_size}: set it to false, or give both the same kind and size."
            )
        check_kind("source", source, source_size)
        check_kind("target", target, target_size)
        self.kinds = {"source": (source, source_size), "target": (target, target_size)}
        self.joint, self.exact_size, self.options = joint, exact_size, options
        if source == target == "word" and (self.options.symbols or self.options.protect is not None):
            raise UserError("symbols and protect must be empty where both sides are cut into words, which stay whole.")

    def train(self, examples: Sequence[Example], form: TextForm | None = None) -> Tokenizers:
        """Learn from the examples and return tokenizers that take text in a form.

        Raises UserError if a size or normalisation does not fit them.
        """
        self.check_form(form or TextForm())

        def sources() -> Iterator[str]:
            return (one.source for one in examples)

        def targets() -> Iterator[str]:
            return chain.from_iterable(one.targets for one in examples)

        symbols = self._symbols(chain(sources(), targets()))
        if self.joint:
            both = self._learn(lambda: chain(sources(), targets()), symbols, ("source", "target"))
            return Tokenizers.from_bytes(both, both, form)
        source = self._learn(sources, symbols, ("source",))
        return Tokenizers.from_bytes(source, self._learn(targets, symbols, ("target",)), form)

    def check_form(self, form: TextForm) -> None:
        """Check that a form of text suits the normalisation. Raises UserError if not."""
        self.options.check_form(form)

    def _symbols(self, texts: Iterable[str]) -> list[str]:
        """Symbols that are never cut: those that were named, and all that the pattern finds in texts."""
        pattern = self.options.pattern()
        matches = {match[0] for text in texts for match in pattern.finditer(text)} if pattern else set()
        return list(dict.fromkeys([*self.options.symbols, *sorted(matches - {""})]))

    def _learn(self, texts: Texts, symbols: list[str], sides: Sequence[str]) -> bytes:
        """The serialised model of a side, or of both. Raises UserError if its size does not fit the texts."""
        kind, size = self.kinds[sides[0]]
        return learnt_pieces(
            texts,
            kind,
            size,
            symbols=[] if kind == "word" else symbols,
            options=self.options,
            exact_size=self.exact_size,
            sides=sides,
        )
