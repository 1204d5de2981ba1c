"""Rules of when a stream of lines begins anew."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError


class Past(NamedTuple):
    """The past of a stream since it began: tokens that were read, and how many empty lines came last."""

    tokens: int = 0
    silence: int = 0

    def behind(self, ids: Sequence[int]) -> "Past":
        """The past behind another line, whose end is a token, too; an empty line is silence."""
        return Past(self.tokens + len(ids) + 1, 0) if ids else self._replace(silence=self.silence + 1)


class Reset(ABC):
    """A rule of when a stream begins anew: before a line is read. Each stream has a copy of its own.

    Whatever it says, a stream whose state is not finite begins anew.
    """

    def prepare(self, tokenizer: Tokenizer) -> None:  # noqa: B027
        """Take in how sources are cut. Raises UserError where they lack what the rule asks for."""

    @abstractmethod
    def due(self, past: Past, ids: Sequence[int]) -> bool:
        """Tell whether the stream begins anew before a line of these tokens, which is not empty."""

    def see(self, answer: Hypothesis) -> None:  # noqa: B027
        """Take in what was answered to the last line."""


class NoReset(Reset):
    """A rule by which a stream goes on for ever."""

    def due(self, past: Past, ids: Sequence[int]) -> bool:
        return False


class SegmentReset(Reset):
    """A rule by which each line begins anew."""

    def due(self, past: Past, ids: Sequence[int]) -> bool:
        return True


class BoundaryReset(Reset):
    """A rule by which lines with a `piece` of one's own begin anew."""

    def __init__(self, *, piece: str) -> None:
        self.piece = piece
        self.known: list[int] = []  # ids of it, at the beginning of a word and within one

    def prepare(self, tokenizer: Tokenizer) -> None:
        self.known = tokenizer.ids(self.piece)
        if not self.known:
            raise UserError(
                f"piece must be one of the model's source vocabulary, but {self.piece!r} is none: train with it among "
                "the tokenizer's symbols."
            )

    def due(self, past: Past, ids: Sequence[int]) -> bool:
        return any(index in ids for index in self.known)


class EveryReset(Reset):
    """A rule by which the line behind so many `tokens` of a stream begins anew. Raises UserError below 1.

    >>> EveryReset(tokens=5).due(Past(tokens=4), [7]), EveryReset(tokens=5).due(Past(tokens=5), [7])
    (False, True)
    """

    def __init__(self, *, tokens: int = 1000) -> None:
        if tokens < 1:
            raise UserError(f"tokens must be at least 1, but is {tokens}.")
        self.tokens = tokens

    def due(self, past: Past, ids: Sequence[int]) -> bool:
        return past.tokens >= self.tokens


class SilenceReset(Reset):
    """A rule by which a line behind so many empty `lines` begins anew. Raises UserError below 1."""

    def __init__(self, *, lines: int = 1) -> None:
        if lines < 1:
            raise UserError(f"lines must be at least 1, but is {lines}.")
        self.lines = lines

    def due(self, past: Past, ids: Sequence[int]) -> bool:
        return past.silence >= self.lines


class DriftReset(Reset):
    """A rule by which the line behind an alarm begins anew.

    The `alarm` is told the nats per token of each answer, its end among them, and says whether what comes has changed.
    """

    def __init__(self, alarm: Callable[[float], bool]) -> None:
        self.alarm = alarm
        self.raised = False

    def due(self, past: Past, ids: Sequence[int]) -> bool:
        raised, self.raised = self.raised, False
        return raised

    def see(self, answer: Hypothesis) -> None:
        nats = -answer.score / max(1, len(answer.ids) + answer.finished)
        self.raised = bool(self.alarm(nats)) or self.raised
