"""Learning from a stream of examples, stretch by stretch, of which a test accepts all or nothing."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seq2seq.data.encoding import encoded
from seq2seq.data.examples import Example
from seq2seq.data.new_pairs import NewExamples, OldExamples
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import DivergedError
from seq2seq.finite import not_finite
from seq2seq.training.acceptance import AcceptanceTest, Verdict
from seq2seq.training.adaptation import Learner
from seq2seq.training.fast_translator import fast_translator
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)
FEWEST = 10  # new examples to judge by
_MOST_LOST = 5  # stretches in a row that end in what is not finite
Keep = Callable[[dict[str, Any], Verdict], int]


@dataclass(frozen=True)
class Pace:
    """Numbers that say how much is learnt at a time: see conf/adapt.yaml."""

    sentences: int
    updates: int
    every: int
    rehearsal: float
    max_length: int


class Adaptation:
    """A learner's way through new examples: batches of new and old ones, and a gate after every so many updates.

    `keep` writes what was accepted and returns its number. What was not is taken back, weights, average, optimizer and
    random numbers, to the bit, and its examples are learnt from no more.
    """

    def __init__(
        self,
        learner: Learner,
        translator: Translator,
        new: NewExamples,
        old: OldExamples | None,
        *,
        test: AcceptanceTest,
        pace: Pace,
        keep: Keep,
    ) -> None:
        self.learner, self.translator, self.new, self.old = learner, translator, new, old
        self.test, self.pace, self.keep = test, pace, keep
        self.gates: list[dict[str, Any]] = []
        self.lost = 0
        self._lost_in_a_row = 0
        self._accepted = learner.state()
        self._served = self._as_served()

    def __call__(self, examples: Iterable[Example]) -> None:
        """Learn from all examples. Raises DivergedError where stretch after stretch ends in what is not finite."""
        fresh: list[Example] = []
        for example in examples:
            if self.new.take(example):
                fresh.append(example)
            if len(fresh) == self.pace.sentences:
                self._learn(fresh)
                fresh = []
        if fresh:
            self._learn(fresh)
        if self._stretch and self._can_judge:
            self._judge()

    @property
    def _stretch(self) -> int:
        """The number of updates since what was accepted last."""
        return self.learner.updates - int(self._accepted["updates"])

    @property
    def _can_judge(self) -> bool:
        return len(self.new.held_out) >= FEWEST

    def _learn(self, fresh: Sequence[Example]) -> None:
        """Take the updates for some new examples; the rest of them is left where they are taken back."""
        for number in range(self.pace.updates):
            own = self.new.again(len(fresh), self.learner.updates) if number else fresh
            good = self._update(own)
            if good and self._stretch >= self.pace.every and self._can_judge:
                good = self._judge()
            if not good:
                return

    def _update(self, own: Sequence[Example]) -> bool:
        """Take an update on new and old examples, and tell whether it is finite; if not, all since then is lost."""
        count = round(self.pace.rehearsal * len(own))
        old = self.old.drawn(count, self.learner.updates, self.new) if self.old else []
        pairs = encoded([*own, *old], self._tokenizers, self.pace.max_length).pairs
        rows = torch.arange(len(pairs))
        if self.learner.learn(pairs.batch(rows, step_tokens=pairs.target_tokens(rows)).to(self.translator.device)):
            return True
        self._lose("a gradient")
        return False

    def _judge(self) -> bool:
        """Accept what was learnt since the last time, or take it back."""
        state = self.learner.state()
        if not_finite(state["state_dict"]) or not_finite(state["weights"]):
            self._lose("a weight")
            return False
        candidate, self._lost_in_a_row = self._as_served(), 0
        verdict = self.test(candidate, self._served, self.new.held_out)
        if verdict.accepted:
            number = self.keep(state, verdict)
            self._accepted, self._served = state, candidate
        else:
            self._take_back()
        self._tell(verdict, f"version {number} is served" if verdict.accepted else f"taken back, {verdict.reason}")
        return verdict.accepted

    def _tell(self, verdict: Verdict, outcome: str) -> None:
        record = {"accepted": verdict.accepted, "new": verdict.new.record(), "old": verdict.old.record()}
        self.gates.append({**record, "reason": verdict.reason} if verdict.reason else record)
        came, name = sum(self.new.counts.values()), self.test.yardstick.name
        logger.info(
            "gate %d, after %d pairs: new %s %s; old %s; %s",
            *(len(self.gates), came, name, verdict.new, verdict.old, outcome),
        )

    def _lose(self, what: str) -> None:
        """Take back what was learnt since the last gate, as it has come to numbers that are not finite."""
        updates = self._stretch
        self._take_back()
        self.lost, self._lost_in_a_row = self.lost + 1, self._lost_in_a_row + 1
        if self._lost_in_a_row >= _MOST_LOST:
            raise DivergedError(
                f"adaptation has diverged {_MOST_LOST} times in a row, and is taken back: {what} is not finite: lower "
                "the learning rate, or look at the new pairs."
            )
        logger.warning("%s is not finite: the last %d updates are taken back, and their pairs left", what, updates)

    def _take_back(self) -> None:
        self.learner.restore(self._accepted)
        self.new.forget()

    def _as_served(self) -> Translator:
        """A translator by the weights that would be served now."""
        with self.learner.step.average.applied():
            return fast_translator(self.translator, self.learner.step.model)

    @property
    def _tokenizers(self) -> Tokenizers:
        return self.translator.tokenizers
