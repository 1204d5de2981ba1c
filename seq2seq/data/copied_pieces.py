"""Ids of pieces that a vocabulary lacks, as models that copy read and write them."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.symbols import EOS, UNK


class CodedTokenizer(Tokenizer):
    """A tokenizer that tells unknown pieces apart: each is its size plus the place where the piece first comes.

    Places count from 0 in its own text. Unknown pieces are words where all pieces are, else single characters. What is
    read back is unknown all the same.
    """

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        found = super().encode(texts)
        return [self._coded(text) if UNK in ids else ids for ids, text in zip(found, texts, strict=True)]

    def surface(self, text: str) -> list[str]:
        pieces = super().surface(text)
        return [part for piece in pieces for part in ([piece] if self._cuts.knows(piece) else parts_of(self, piece))]

    def _coded(self, text: str) -> list[int]:
        pieces = self.surface(text)
        return [
            self._processor.piece_to_id(piece) if self._cuts.knows(piece) else self.size + pieces.index(piece)
            for piece in pieces
        ]

    def known(self, ids: Sequence[int]) -> list[int]:
        """The ids, those behind the vocabulary as UNK."""
        return [index if index < self.size else UNK for index in ids]

    def decode(self, ids: Sequence[list[int]]) -> list[str]:
        return super().decode([self.known(own) for own in ids])

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return super().pieces(self.known(ids))


class CopyingTokenizers(Tokenizers):
    """Tokenizers of a model that copies: that of the source tells unknown pieces apart."""

    def encode_pairs(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of sources and of their targets, without BOS and EOS.

        What the target vocabulary lacks is the size of that plus the place where it first comes in the source, or UNK
        if it does not. Several words or characters that it lacks are taken apart as the source has them.
        """
        source, target = super().encode_pairs(sources, targets)
        for row, ids in enumerate(target):
            if UNK in ids:
                target[row] = _pointed(self, ids, targets[row], sources[row])
        return source, target

    def decode(self, sources: Sequence[str], ids: Sequence[list[int]]) -> list[str]:
        """Texts of targets' ids, one for each source; what was copied as it is in the source."""
        copied = {row: source for row, source in enumerate(sources) if _copied(self.target, ids[row])}
        texts = self.target.decode([[] if row in copied else own for row, own in enumerate(ids)])
        for row, source in copied.items():
            texts[row] = self.target.join(pieces_of(self, ids[row], source))
        return texts


def suited(tokenizers: Tokenizers, config: Mapping[str, Any]) -> Tokenizers:
    """The same tokenizers; where a config's model copies, that of the source tells unknown pieces apart."""
    return for_copying(tokenizers) if config.get("model", {}).get("copying") else tokenizers


def for_copying(tokenizers: Tokenizers) -> Tokenizers:
    """The same tokenizers, of which that of the source tells unknown pieces apart."""
    source = tokenizers.source
    return CopyingTokenizers(CodedTokenizer(source.serialized, source.form), tokenizers.target)


def target_ids(tokenizers: Tokenizers) -> Int[Tensor, " vocabulary"]:
    """The target id of the same text by source id: -1 where there is none, and of all reserved ids but EOS."""
    source, target = (side.pieces(range(side.size)) for side in (tokenizers.source, tokenizers.target))
    known = {piece: index for index, piece in enumerate(target) if index >= EOS}
    return torch.tensor([known.get(piece, -1) if index >= EOS else -1 for index, piece in enumerate(source)])


def _pointed(tokenizers: Tokenizers, ids: Sequence[int], text: str, source: str) -> list[int]:
    given = tokenizers.source.surface(source)
    places = {piece: place for place, piece in reversed(list(enumerate(given)))}
    found: list[int] = []
    pairs = zip(ids, tokenizers.target.surface(text), strict=True)
    for known, run in groupby(pairs, lambda pair: pair[0] != UNK):
        own = [*run]
        if known:
            found += [index for index, _ in own]
        else:
            found += _of_source([piece for _, piece in own], places, tokenizers.target)
    return found


def _of_source(pieces: Sequence[str], places: Mapping[str, int], target: Tokenizer) -> list[int]:
    """Ids of neighbours that the target lacks: of pieces that the source has, and UNK for what it lacks, too.

    UNK is one a word or character where all pieces are such, and else one for all that stand together.
    """
    parts = [part for piece in pieces for part in parts_of(target, piece)]
    found: list[int] = []
    start = 0
    while start < len(parts):
        ends = (end for end in range(len(parts), start, -1) if "".join(parts[start:end]) in places)
        if (end := next(ends, None)) is not None:
            found.append(target.size + places["".join(parts[start:end])])
        elif target.cuts_whole or found[-1:] != [UNK]:
            found.append(UNK)
        start = end or start + 1
    return found


def parts_of(tokenizer: Tokenizer, unknown: str) -> list[str]:
    """Parts of a piece that a tokenizer does not know: a word where all of its pieces are, or characters."""
    return [unknown] if tokenizer.has_words_alone else list(unknown)


def pieces_of(tokenizers: Tokenizers, ids: Sequence[int], source: str) -> list[str]:
    """Pieces of a target's ids; what was copied as it is in the source."""
    target = tokenizers.target
    if not _copied(target, ids):
        return target.pieces(ids)
    return pieces_from(target, ids, tokenizers.source.surface(source))


def pieces_from(target: Tokenizer, ids: Sequence[int], source: Sequence[str]) -> list[str]:
    """Pieces of a target's ids, those behind the vocabulary from the pieces of the source; unknown if it has none."""
    beyond = [*source, *target.pieces([EOS])]
    unknown = target.pieces([UNK])[0]
    return [
        target.pieces([index])[0]
        if (place := index - target.size) < 0
        else (beyond[place] if place < len(beyond) else unknown)
        for index in ids
    ]


def within(tokenizers: Tokenizers, ids: Sequence[int], length: int) -> Sequence[int]:
    """A target's ids, those of source pieces behind the first `length` as UNK."""
    size = tokenizers.target.size
    return [index if index < size + length else UNK for index in ids] if _copied(tokenizers.target, ids) else ids


def _copied(target: Tokenizer, ids: Sequence[int]) -> bool:
    return max(ids, default=0) >= target.size
