"""Accuracy and macro F1 of class labels."""

from collections.abc import Sequence
from itertools import chain, zip_longest

import numpy as np
import torch

from seq2seq.errors import UserError
from seq2seq.metrics.scores import Scores, rates
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals

_MOST = 500  # classes: their counts are kept for every sentence
_NO_LABEL = "\0"  # where a sequence of labels, or its reference, is the shorter one


class ClassScores(Scores):
    """Accuracy, and the mean over classes of F1 = 2 right / (said + true): each class counts as much, however rare.

    Classes are those of the references; a label that is none of them is wrong and no class of its own. One that a
    sample of the sentences neither has nor says is left out of its mean. Of several references of a sentence, the one
    that was met counts, else the first. With `words`, a target is a sequence of labels with white space between them,
    as one for every frame, and each is compared with what stands at its place; where either is longer, that is wrong.
    Raises UserError at over 500 classes.
    """

    def __init__(self, *, words: bool = False) -> None:
        super().__init__(2)
        self.words = words
        self._places: dict[str, int] | None = None  # of classes

    def settle(self, references: Sequence[Sequence[str]]) -> None:
        """Take the classes that references have; without this, those of the first sentences are all."""
        found = sorted({*chain.from_iterable(self._labels(text) for known in references for text in known)})
        if len(found) > _MOST:
            raise UserError(
                f"references must have at most {_MOST} classes, but have {len(found):,}: choose exact_match, or "
                "words=true where they are sequences of labels."
            )
        self._places = {label: place for place, label in enumerate(found)}
        device = self.totals.device
        self.add_state("totals", torch.zeros(2 + 3 * len(found), dtype=torch.long, device=device), dist_reduce_fx="sum")

    def counts(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str]
    ) -> SentenceCounts:
        if self._places is None:
            self.settle(references)
        rows = np.zeros((len(hypotheses), len(self.totals)))
        for row, hypothesis, known in zip(rows, hypotheses, references, strict=True):
            self._count(row, hypothesis, hypothesis if hypothesis in known else known[0])
        return rows

    def _count(self, row: np.ndarray, hypothesis: str, reference: str) -> None:
        """Add what a sentence has to its row: labels and right ones, and by class those right, said and true."""
        assert self._places is not None
        by_class = row[2:].reshape(-1, 3)
        said, true = self._labels(hypothesis), self._labels(reference)
        for own, wanted in zip_longest(said, true, fillvalue=_NO_LABEL):
            row[:2] += 1, own == wanted
            for column, label in enumerate((own if own == wanted else _NO_LABEL, own, wanted)):
                if label in self._places:
                    by_class[self._places[label], column] += 1

    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        right, said, true = totals[:, 2:].reshape(len(totals), -1, 3).transpose(2, 0, 1)
        seen = said + true > 0
        f1 = np.where(seen, 2 * right / np.maximum(said + true, 1), 0).sum(1) / np.maximum(seen.sum(1), 1)
        return {"accuracy": rates(totals[:, 1], totals[:, 0]), "macro_f1": 100 * f1}

    def _labels(self, text: str) -> list[str]:
        return text.split() if self.words else [text]

    @property
    def signature(self) -> str:
        classes = "" if self._places is None else f" {len(self._places)}"
        return f"{'labels by place' if self.words else 'one label'}; macro over the{classes} classes of the references"
