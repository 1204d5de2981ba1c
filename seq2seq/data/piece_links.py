"""Alignments as links between pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.alignments import Alignment, Spans, spans
from seq2seq.data.space_mark import readable
from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.errors import UserError


@dataclass(frozen=True)
class PieceLinks:
    """Links between the pieces of many pairs, flat, as rows of (target, source)."""

    flat: Int[Tensor, "links 2"]
    counts: Int[Tensor, " pairs"]

    @classmethod
    def of(cls, pairs: Sequence[Sequence[tuple[int, int]]]) -> "PieceLinks":
        """The links of the given pairs."""
        flat = torch.tensor([*chain.from_iterable(pairs)], dtype=torch.long).view(-1, 2)
        return cls(flat, torch.tensor([len(pair) for pair in pairs], dtype=torch.long))

    def matrix(self, rows: Tensor, targets: int, sources: int) -> Float[Tensor, "batch target source"]:
        """Even weights of what each target piece is linked to, `batch target source`; all 0 where that is nothing."""
        counts = self.counts[rows]
        starts = (self.counts.cumsum(0) - self.counts)[rows]
        of_pair = torch.repeat_interleave(torch.arange(len(rows)), counts)
        within = torch.arange(int(counts.sum())) - (counts.cumsum(0) - counts)[of_pair]
        links = self.flat[starts[of_pair] + within]
        found = torch.zeros(len(rows), targets, sources)
        found[of_pair, links[:, 0], links[:, 1]] = 1.0
        return found / found.sum(-1, keepdim=True).clamp(min=1)


def piece_links(alignment: Alignment, tokenizers: Tokenizers, source: str, target: str) -> list[tuple[int, int]]:
    """Links of pieces, (target, source), that hold a part of units that are linked, and of EOS to EOS."""
    sides = zip((source, target), alignment.units, (tokenizers.source, tokenizers.target), strict=True)
    pieces = [_piece_places(text, unit, tokenizer) for text, unit, tokenizer in sides]
    found = {
        (of_target, of_source)
        for link in alignment.links
        for of_source in pieces[0][1].get(link[0], ())
        for of_target in pieces[1][1].get(link[1], ())
    }
    return sorted(found | {(pieces[1][0], pieces[0][0])})  # EOS is behind all pieces


def _piece_places(text: str, unit: str, tokenizer: Tokenizer) -> tuple[int, dict[int, list[int]]]:
    """The number of pieces of a text, and by unit the places of those that hold a part of it."""
    pieces = _piece_spans(tokenizer.form(text), tokenizer.surface(text))
    places: dict[int, list[int]] = {}
    for number, (start, end) in enumerate(spans(tokenizer.form(text), unit)):
        places[number] = [place for place, piece in enumerate(pieces) if piece[0] < end and start < piece[1]]
    return len(pieces), places


def _piece_spans(text: str, pieces: Sequence[str]) -> Spans:
    """Beginnings and ends of pieces in the text. Raises UserError if they are not its own characters."""
    found, place = [], 0
    for piece in pieces:
        start = place
        for character in readable(piece):
            if place < len(text) and text[place] == character:
                place += 1
            elif character != " ":  # the one that SentencePiece puts before a text is not there
                raise UserError(
                    "alignments need pieces of the text as it is, but the tokenizer changes "
                    f"{text[:40]!r}: set tokenizer normalization to identity."
                )
        found.append((start, place))
    return found
