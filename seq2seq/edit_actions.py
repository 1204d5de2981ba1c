"""The ids of a transducer's actions: edits of a source that a pointer reads from left to right."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq.symbols import BOS, EOS, PAD, UNK

DELETE = EOS + 1
_COPY = DELETE + 1
_LEAST = _COPY + 2  # ids of a vocabulary that writes a single piece


@dataclass(frozen=True)
class EditActions:
    """The actions that write a vocabulary of `pieces`, behind the reserved ids, as ids below `size`.

    END is EOS. DELETE reads a symbol, COPY reads one and writes it, which only alphabets that meet have (`copies`);
    INSERT(c) writes the piece c, SUBSTITUTE(c) reads a symbol and writes c. Both exist for every piece behind the
    reserved ones; of UNK there is an insertion alone, which is UNK itself.
    """

    pieces: int
    copies: bool

    @classmethod
    def of(cls, size: int) -> "EditActions":
        """The actions of a vocabulary by its size alone: an odd number of ids has no COPY, an even one has."""
        copies = size % 2 == 0
        return cls((size - _COPY - copies) // 2 + EOS + 1, copies)

    @property
    def size(self) -> int:
        """The number of ids, the reserved ones among them."""
        return self._first + 2 * self._written

    @property
    def copy(self) -> int | None:
        """The id of COPY, None where there is none."""
        return _COPY if self.copies else None

    @property
    def _first(self) -> int:
        return _COPY + self.copies

    @property
    def _written(self) -> int:
        return self.pieces - EOS - 1

    def insert(self, piece: int) -> int:
        """The id of the action that writes a piece and reads nothing."""
        return UNK if piece == UNK else self._first + piece - EOS - 1

    def substitute(self, piece: int) -> int:
        """The id of the action that reads a symbol and writes a piece; of UNK there is none."""
        return self._first + self._written + piece - EOS - 1

    def written(self, action: int) -> int | None:
        """The piece that an action writes by its name alone: None of BOS, END, DELETE and COPY."""
        if action == UNK:
            return UNK
        return None if action < self._first else (action - self._first) % self._written + EOS + 1

    def reads(self, action: int) -> bool:
        """Tell whether an action reads a symbol, and so moves the pointer."""
        return action in (DELETE, self.copy) or action >= self._first + self._written

    @property
    def moves(self) -> Int[Tensor, " actions"]:
        """Numbers that are 1 for every action that moves the pointer, 0 for the others."""
        actions = torch.arange(self.size)
        found = actions >= self._first + self._written
        for action in (DELETE, *([_COPY] if self.copies else [])):
            found |= actions == action
        return found.long()

    @property
    def barred(self) -> Bool[Tensor, "place action"]:
        """Actions that cannot be done before the source's end (row 0), which is to end, and at it (row 1): to read."""
        ends = torch.zeros(self.size, dtype=torch.bool)
        ends[EOS] = True
        found = torch.stack([ends, self.moves.bool()])
        found[:, [PAD, BOS]] = True
        return found
