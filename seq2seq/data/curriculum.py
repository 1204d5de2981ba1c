"""Curricula: which pairs an epoch may hold, by the step that it begins at."""

import math
from abc import ABC, abstractmethod

import numpy as np

from seq2seq.data.batch import PairSequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.errors import UserError

Rows = np.ndarray  # of numbers of pairs
DIFFICULTIES = ("length", "rarity")
COMPETENCES = ("root", "linear")


class Curriculum(ABC):
    """Easy pairs first, and all from step `steps` on. Raises UserError below one step."""

    def __init__(self, *, steps: int) -> None:
        if steps < 1:
            raise UserError(f"steps must be at least 1, but is {steps}: for all pairs at once, choose curriculum none.")
        self.steps = steps

    def admitted(self, pairs: PairSequences, step: int, seed: int) -> Rows:
        """Rows of the pairs that an epoch may hold which begins at a step, each once. Raises UserError at none."""
        if step >= self.steps:
            return np.arange(len(pairs))
        return np.sort(self.easiest(pairs, step / self.steps, seed))

    @abstractmethod
    def easiest(self, pairs: PairSequences, way: float, seed: int) -> Rows:
        """Rows of the pairs for a share of the way, in [0, 1), in any order."""


class LengthCurriculum(Curriculum):
    """Pairs up to a length that grows evenly from `start` tokens to that of the longest pair.

    As the "baby steps" of Spitkovsky et al. 2010; the length of a pair is that of its longer side. Raises UserError at
    a start below 1, and where no pair is so short.
    """

    def __init__(self, *, steps: int = 1000, start: int = 8) -> None:
        super().__init__(steps=steps)
        if start < 1:
            raise UserError(f"start must be at least 1 token, but is {start}.")
        self.start = start

    def easiest(self, pairs: PairSequences, way: float, seed: int) -> Rows:
        lengths = _lengths(pairs)
        shortest, longest = int(lengths.min()), int(lengths.max())
        if self.start < shortest:
            raise UserError(
                f"start must be at least {shortest}, the tokens of the shortest pair, but is {self.start}: raise it."
            )
        return np.flatnonzero(lengths <= self.start + way * (longest - self.start))


class CompetenceCurriculum(Curriculum):
    """The share c of the pairs that is easiest, where c grows with the step t (Platanios et al. 2019, equations 6, 7).

    Linear, c = t (1 - c0) / T + c0; or by the root, c = sqrt(t (1 - c0^2) / T + c0^2), where each new pair is met as
    often as any other. T is `steps`, c0 is `start`. Difficulty is the length of the longer side, or the rarity of
    the source, the sum of -log p over its tokens, with p their shares in train. Which of equals comes first is drawn
    once. Raises UserError at an unknown kind, and at a start outside of (0, 1).
    """

    def __init__(
        self, *, steps: int = 1000, start: float = 0.01, difficulty: str = "length", growth: str = "root"
    ) -> None:
        super().__init__(steps=steps)
        if not 0 < start < 1:
            raise UserError(f"start must be above 0 and below 1, but is {start}: it is a share of the pairs.")
        for name, value, known in (("difficulty", difficulty, DIFFICULTIES), ("growth", growth, COMPETENCES)):
            if value not in known:
                raise UserError(f"{name} must be {' or '.join(known)}, but is {value!r}.")
        self.start, self.difficulty, self.growth = start, difficulty, growth

    def competence(self, way: float) -> float:
        """The share of the pairs that is admitted after a share of the steps."""
        if self.growth == "linear":
            return min(1.0, way * (1 - self.start) + self.start)
        return min(1.0, math.sqrt(way * (1 - self.start**2) + self.start**2))

    def easiest(self, pairs: PairSequences, way: float, seed: int) -> Rows:
        difficulty = _lengths(pairs) if self.difficulty == "length" else rarity(pairs.source)
        ties = np.random.default_rng(seed).permutation(len(pairs))
        return np.lexsort((ties, difficulty))[: math.ceil(self.competence(way) * len(pairs))]


def rarity(sentences: TokenSequences) -> np.ndarray:
    """The sum of -log p over the tokens of each sentence, where p is a token's share of all."""
    tokens = sentences.flat[:-1].numpy()  # the last is padding
    counts = np.bincount(tokens)
    surprise = np.log(len(tokens)) - np.log(np.maximum(counts, 1))
    upto = np.concatenate([[0.0], np.cumsum(surprise[tokens])])
    starts = sentences.starts.numpy()
    # Rounded, so that sums of the same tokens are equal wherever they stand.
    return np.round(upto[starts + sentences.lengths.numpy()] - upto[starts], 6)


def _lengths(pairs: PairSequences) -> np.ndarray:
    return np.maximum(pairs.source.lengths.numpy(), pairs.target.lengths.numpy())
