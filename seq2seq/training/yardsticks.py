"""Measures of a model on examples, as counts by sentence that can be drawn again."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from seq2seq.data.encoding import pairs_of
from seq2seq.data.examples import Example
from seq2seq.metrics.scores import Scores
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals
from seq2seq.translation.translator import Translator


class Yardstick(ABC):
    """A measure by one score, whose `sign` is 1 where more of it is better, and else -1."""

    def __init__(self, name: str, sign: int) -> None:
        self.name, self.sign = name, sign

    @abstractmethod
    def counts(self, translator: Translator, examples: Sequence[Example]) -> SentenceCounts:
        """Counts of every example; a row each."""

    @abstractmethod
    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        """The score, by its name, of every row of summed counts."""


class TranslationYardstick(Yardstick):
    """A measure by a score of what the model says: percent."""

    def __init__(self, metric: Scores, name: str, *, higher: bool) -> None:
        super().__init__(name, 1 if higher else -1)
        self.metric = metric

    def counts(self, translator: Translator, examples: Sequence[Example]) -> SentenceCounts:
        sources, references = [example.source for example in examples], [example.targets for example in examples]
        return self.metric.counts(translator(sources), references, sources)

    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        return {self.name: self.metric.scores(totals)[self.name]}


class LossYardstick(Yardstick):
    """A measure by the negative log-likelihood of given targets: nats per token, EOS counted."""

    def __init__(self) -> None:
        super().__init__("loss", -1)

    def counts(self, translator: Translator, examples: Sequence[Example]) -> SentenceCounts:
        sources, targets = zip(*pairs_of(examples), strict=True)
        _, ids = translator.tokenizers.encode_pairs(list(sources), list(targets))
        found = translator.score(sources, ids)
        rows = np.array([[-one.score, len(one.token_scores)] for one in found])
        firsts = np.cumsum([0, *(len(example.targets) for example in examples[:-1])])
        return np.add.reduceat(rows, firsts)

    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        return {self.name: totals[:, 0] / np.maximum(totals[:, 1], 1)}
