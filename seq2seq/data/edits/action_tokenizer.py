"""The vocabulary of a transducer's target side: actions, which are edits of the source."""

from collections.abc import Sequence
from functools import cached_property

from seq2seq.data.edits.edit_costs import DELETE as DELETION
from seq2seq.data.edits.edit_costs import INSERT
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.edit_actions import DELETE, EditActions
from seq2seq.errors import UserError
from seq2seq.symbols import EOS, UNK

_SPACE = "\u2581"  # how SentencePiece writes a space


class ActionTokenizer(Tokenizer):
    """Actions that write what another tokenizer cuts texts into, after sources that a third one cuts.

    A text alone has no actions: `actions` takes the source and the edits, too, and `written` plays actions back.
    """

    def __init__(self, source: Tokenizer, text: Tokenizer) -> None:
        self.source, self.text, self.form = source, text, text.form
        own = {bare(piece): index for index, piece in enumerate(text.pieces(range(text.size))) if index > EOS}
        pieces = source.pieces(range(source.size))
        # Ids of the target's pieces by those of the source's, where they are alike; None where the target lacks one.
        self.kept = [own.get(bare(piece)) if index > EOS else None for index, piece in enumerate(pieces)]
        self.vocabulary = EditActions(text.size, copies=any(piece is not None for piece in self.kept))
        self.serialized = text.serialized + bytes([self.vocabulary.copies])

    @property
    def size(self) -> int:
        return self.vocabulary.size

    @property
    def same(self) -> list[tuple[int, int]]:
        """Ids of pieces that both sides have: the source's and the target's."""
        return [(own, other) for own, other in enumerate(self.kept) if other is not None]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Raise UserError: what is asked to be written or not, without a source, is no sequence of actions."""
        raise UserError("a transducer writes by edits of its source, so that a text alone cannot be asked of it.")

    def unknown(self, text: str) -> list[str]:
        return self.text.unknown(text)

    def ids(self, piece: str) -> list[int]:
        """UNK's own id; raise UserError at a piece, which several actions write, and a copy by what it reads."""
        return [UNK] if self.text.ids(piece) == [UNK] else self.encode([piece])[0]

    def parts(self, piece: str) -> list[int]:
        return []  # an action is no composition of others

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Names of actions, as pictures show them."""
        return [self._names[index] for index in ids]

    @cached_property
    def _names(self) -> list[str]:
        vocabulary, pieces = self.vocabulary, self.text.pieces(range(self.text.size))
        names = pieces[: EOS + 1] + ["DELETE"] + ["COPY"] * vocabulary.copies
        written = [bare(piece) for piece in pieces[EOS + 1 :]]
        return names + [f"INSERT {piece}" for piece in written] + [f"SUBSTITUTE {piece}" for piece in written]

    def actions(self, source: Sequence[int], target: Sequence[int], edits: Sequence[int]) -> list[int]:
        """The actions of edits that turn a source's ids into a target's."""
        found, read, written = [], 0, 0
        for edit in edits:
            if edit == DELETION:
                found.append(DELETE)
            elif edit == INSERT:
                found.append(self.vocabulary.insert(target[written]))
            else:
                found += self.substitution(source[read], target[written])
            read, written = read + (edit != INSERT), written + (edit != DELETION)
        return found

    def substitution(self, own: int, other: int) -> list[int]:
        """The actions that read one symbol and write another: a copy where they are alike; two to write UNK."""
        if self.kept[own] == other:
            assert self.vocabulary.copy is not None
            return [self.vocabulary.copy]
        return [DELETE, UNK] if other == UNK else [self.vocabulary.substitute(other)]

    def played(self, source: Sequence[int], actions: Sequence[int]) -> list[int | None]:
        """Ids of the pieces that actions write, in their order; None for a copy of what the target lacks."""
        found: list[int | None] = []
        for action, place in zip(actions, self.places(actions), strict=True):
            if action == self.vocabulary.copy:
                found.append(self.kept[source[place]] if place < len(source) else None)
            elif (piece := self.vocabulary.written(action)) is not None:
                found.append(piece)
        return found

    def places(self, actions: Sequence[int]) -> list[int]:
        """Numbers of symbols that have been read before each action."""
        found, place = [], 0
        for action in actions:
            found.append(place)
            place += self.vocabulary.reads(action)
        return found

    def write(self, sources: Sequence[str], actions: Sequence[Sequence[int]]) -> list[str]:
        """Texts that actions write, each for its source; a copy of what no vocabulary has writes what stands there."""
        own = self.source.encode(sources)
        found = [self.played(ids, taken) for ids, taken in zip(own, actions, strict=True)]
        texts = self.text.decode([[index for index in ids if index is not None] for ids in found])
        for row, ids in enumerate(found):
            if None in ids:
                texts[row] = self.text.join(self._surface(sources[row], ids, actions[row]))
        return texts

    def _surface(self, text: str, ids: Sequence[int | None], actions: Sequence[int]) -> list[str]:
        """The pieces of what is written, from the text's own where they are copies that the target lacks."""
        pieces, copies = self.source.surface(text), iter(ids)
        found = []
        for action, place in zip(actions, self.places(actions), strict=True):
            if action == self.vocabulary.copy or self.vocabulary.written(action) is not None:
                index = next(copies)
                found.append(pieces[min(place, len(pieces) - 1)] if index is None else self.text.pieces([index])[0])
        return found


def bare(piece: str) -> str:
    """A piece without the sign for the space before it, unless it is nothing else."""
    return piece.removeprefix(_SPACE) or piece
