"""Simultaneous writing: tokens of a target while its source is still being read."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from copy import copy
from math import inf
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.search import Search
from seq2seq.decoding.stepper import Stepper, says_unknown
from seq2seq.errors import UserError, check_finite
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, Source
from seq2seq.symbols import BOS, EOS, UNK, UNSAID

Memory = TypeVar("Memory")
States = TypeVar("States")
Reading = TypeVar("Reading")
Scores = Float[Tensor, " vocabulary"]


@runtime_checkable
class Reader(Protocol[Reading, Memory, States]):
    """A model that reads a source token by token, and scores next tokens by what it has read."""

    def open(self) -> Reading:
        """The reading of one source of which nothing has come."""

    def read(self, ids: Source, reading: Reading, *, ended: bool) -> Reading:
        """The reading behind some more tokens, `1 source`."""

    def begin(self, reading: Reading) -> States:
        """The states of one empty hypothesis, from what has been read."""

    def look(self, reading: Reading, states: States, since: Reading) -> tuple[Memory, States]:
        """The memory of what has been read, and the states as they look at it, which were made at another reading."""

    def step(self, ids: BeamIds, memory: Memory, states: States) -> tuple[Logits, BeamWeights, States]:
        """Scores after `ids`, weights and next states, as of a `Stepper`."""


class Policy(ABC):
    """A rule of when to write the next token, and when to read on; once a source has ended, it is not asked.

    Of what was read, the last `window` tokens are kept, at None all. Raises UserError at a window below 1.
    """

    def __init__(self, window: int | None) -> None:
        if window is not None and window < 1:
            raise UserError(f"window must be at least 1 token, or null for all, but is {window}.")
        self.window = window

    @abstractmethod
    def ready(self, read: int, written: int) -> bool:
        """Tell whether a token may be written after so many have been read and written."""

    def sure(self, scores: Scores) -> bool:
        """Tell whether one may be written by the log-probabilities of all."""
        return True


class WaitKPolicy(Policy):
    """A policy that reads k tokens, then writes one and reads one in turn (Ma et al. 2019).

    With another `pace` it reads so many for each that it writes: catch-up, where targets are shorter than sources, as
    those of frames are. At None it is 1, or for a run that was trained to wait, its pace then. Raises UserError at k
    below 1, and at a pace that is not above 0.

    >>> from seq2seq.decoding.simultaneous import WaitKPolicy
    >>> [WaitKPolicy(k=3).ready(read, written) for read, written in ((2, 0), (3, 0), (3, 1), (4, 1))]
    [False, True, False, True]
    """

    def __init__(self, *, k: int = 3, pace: float | None = None, window: int | None = None) -> None:
        super().__init__(window)
        if k < 1:
            raise UserError(f"k must be at least 1 token, but is {k}.")
        if pace is not None and not 0 < pace < inf:
            raise UserError(f"pace must be above 0 tokens and finite, but is {pace}.")
        check_finite(pace=pace)
        self.k, self.pace = k, pace

    def ready(self, read: int, written: int) -> bool:
        return read >= self.k + int((self.pace or 1.0) * written)


class ConfidencePolicy(Policy):
    """A policy that reads on while the best two tokens are close (after Cho & Esipova 2016, "wait-if-diff").

    A token is written once its probability is `margin` above that of the next best, and `first` tokens are read before
    any. Raises UserError at a margin that is not above 0 or beyond 1, and at first below 1.
    """

    def __init__(self, *, margin: float = 0.5, first: int = 1, window: int | None = None) -> None:
        super().__init__(window)
        if not 0 < margin <= 1:
            raise UserError(f"margin must be above 0 and at most 1, but is {margin}.")
        if first < 1:
            raise UserError(f"first must be at least 1 token, but is {first}.")
        self.margin, self.first = margin, first

    def ready(self, read: int, written: int) -> bool:
        return read >= self.first

    def sure(self, scores: Scores) -> bool:
        best, second = scores.exp().topk(2).values.tolist()
        return best - second >= self.margin


class Session(Generic[Reading, Memory, States]):
    """A session of one source: tokens in, tokens out as soon as the policy lets them, greedily.

    Before the source has ended there are no more tokens than the limits of the `search` allow for what was read, and
    where EOS is the likeliest there is none: what is left to say hangs on what is left to read. What is left then is
    found by the search, from where the target stands: if nothing was written, it is what it finds offline.

    `read` and `done` are how many tokens were read and written, so far; `written` are these, and `delays[i]` how many
    of the source had been read when `written[i]` was. With a window, both are of the last so many alone.
    """

    def __init__(self, reader: Reader[Reading, Memory, States], policy: Policy, search: Search) -> None:
        self.reader, self.policy, self.search = reader, policy, search
        self.reading = reader.open()
        self.states: States | None = None
        self.written_at = self.reading  # the one that states were made at
        self.read = self.done = 0
        self.written: deque[int] = deque(maxlen=policy.window)
        self.delays: deque[int] = deque(maxlen=policy.window)
        self.ended = False

    @torch.inference_mode()
    def feed(self, ids: Sequence[int]) -> list[int]:
        """Tokens that are written while some more of the source are read. Raises UserError after the end."""
        if self.ended:
            raise UserError("A source that has ended takes no more tokens: open another session.")
        found: list[int] = []
        for index in ids:
            self._read(torch.tensor([[index]]), ended=False)
            found += self._written_while_ready()
        return found

    @torch.inference_mode()
    def end(self) -> list[int]:
        """Tokens that are left to write once all of the source is read."""
        if self.ended:
            return []
        self._end_source()
        self.ended = True
        left = self._search()
        for index in left:
            self._write(index)
        return left

    def _end_source(self) -> None:
        self._read(torch.tensor([[EOS]]), ended=True)

    def _read(self, source: Source, *, ended: bool) -> None:
        """Read one token, or frame."""
        self.reading = self.reader.read(source, self.reading, ended=ended)
        self.read += 1

    def _write(self, index: int) -> None:
        self.done += 1
        self.written.append(index)
        self.delays.append(self.read)

    def _written_while_ready(self) -> Iterator[int]:
        most = int(self.search.length.max_length(torch.tensor([self.read])))
        while self.done < most and self.policy.ready(self.read, self.done):
            memory, states = self._look()
            logits, _, states = self.reader.step(torch.tensor([[self._last]]), memory, states)
            scores = logits[0, 0].float().log_softmax(-1)
            scores[UNSAID] = float("-inf")
            if not says_unknown(self.reader):
                scores[UNK] = float("-inf")
            if scores.argmax() == EOS or not self.policy.sure(scores):
                return
            self.states, self.written_at = states, self.reading
            self._write(index := int(scores.argmax()))
            yield index

    def _look(self) -> tuple[Memory, States]:
        if self.states is None:  # nothing is written
            return self.reader.look(self.reading, self.reader.begin(self.reading), self.reading)
        return self.reader.look(self.reading, self.states, self.written_at)

    @property
    def _last(self) -> int:
        return self.written[-1] if self.written else BOS

    def _search(self) -> list[int]:
        lengths = torch.tensor([self.read])
        left = int(self.search.length.max_length(lengths)) - self.done
        if left < 1:
            return []
        search, before = copy(self.search), self.done
        if before:
            least = int(self.search.length.min_length(lengths)) - before
            search.length = LengthLimits(max_ratio=0.0, max_extra=left, minimum=max(0, min(least, left - 1)))
        source = torch.full((1, self.read), EOS)  # of which the length counts; the memory is of what was read
        return search(_Continued(self.reader, *self._look(), self._last), source, lengths)[0][0].ids


class _Continued(Stepper[Memory, States], Generic[Reading, Memory, States]):
    """A stepper that starts where a target stands."""

    def __init__(self, reader: Reader[Reading, Memory, States], memory: Memory, states: States, last: int) -> None:
        self.reader, self.first, self.last = reader, (memory, states), last
        self.begun = False

    @property
    def says_unknown(self) -> bool:
        """Tell whether UNK may be said."""
        return says_unknown(self.reader)

    def start(self, source: Source, lengths: Lengths) -> tuple[Memory, States]:
        return self.first

    def step(self, ids: BeamIds, memory: Memory, states: States) -> tuple[Logits, BeamWeights, States]:
        if not self.begun:
            ids, self.begun = torch.full_like(ids, self.last), True
        return self.reader.step(ids, memory, states)
