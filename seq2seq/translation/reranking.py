"""Orders of hypotheses other than that of their scores."""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from operator import mul
from typing import Any

import torch

from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.translation.line import Translation

# Of every text as the hypothesis, `texts texts`, with each as the reference.
Utility = Callable[[Sequence[str]], list[list[float]]]

_CHRF_ORDERS = range(1, 7)
_CHRF_BETA = 2  # how many times as much recall weighs as precision


class Reranking(ABC):
    """An order of the hypotheses of every line, other than that of their ranks."""

    def prepare(self, source: Tokenizer | None, device: torch.device, **limits: Any) -> None:  # noqa: B027
        """Get ready, on a device and with the limits of a translator, for lines of that source; None: of none.

        Those that need nothing more than the hypotheses are ready as they are.
        """

    @abstractmethod
    def orders(self, found: Sequence[Sequence[Translation]]) -> list[list[int]]:
        """The numbers of the translations of each line in their new order."""


class LineReranking(Reranking):
    """An order of texts by themselves and their scores, line by line."""

    def orders(self, found: Sequence[Sequence[Translation]]) -> list[list[int]]:
        return [self([one.text for one in own], [one.hypothesis for one in own]) for own in found]

    @abstractmethod
    def __call__(self, texts: Sequence[str], hypotheses: Sequence[Hypothesis]) -> list[int]:
        """The numbers of the hypotheses in their new order."""


class MinimumBayesRisk(LineReranking):
    """An order in which the hypothesis most like all others comes first (Kumar & Byrne 2004; Eikema & Aziz 2020).

    utility(h) = sum over h' of p(h') u(h, h'), with u = chrF (Popovic 2015) or edit = 1 - edits / longer length, both
    from 0 to 1. p is softmax(score) if `weighted`, as fits a beam; equal for all if not, as fits samples.
    """

    def __init__(self, *, utility: str = "chrf", weighted: bool = True) -> None:
        if utility not in _UTILITIES:
            raise UserError(f"utility must be one of {', '.join(_UTILITIES)}, but is {utility!r}.")
        self.utility = utility
        self.weighted = weighted

    def __call__(self, texts: Sequence[str], hypotheses: Sequence[Hypothesis]) -> list[int]:
        highest = max(hypothesis.score for hypothesis in hypotheses)
        weights = [math.exp(hypothesis.score - highest) if self.weighted else 1.0 for hypothesis in hypotheses]
        shares = dict.fromkeys(texts, 0.0)  # samples are often equal
        for weight, text in zip(weights, texts, strict=True):
            shares[text] += weight
        utilities = _UTILITIES[self.utility](list(shares))
        rows = zip(shares, utilities, strict=True)
        expected = {own: math.fsum(map(mul, shares.values(), row)) for own, row in rows}
        return sorted(range(len(texts)), key=lambda number: -expected[texts[number]])


def _chrf(texts: Sequence[str]) -> list[list[float]]:
    counts = [_ngrams("".join(text.split())) for text in texts]  # once for each text, not for each pair
    return [[_chrf_score(own, other) for other in counts] for own in counts]


def _ngrams(text: str) -> list[Counter[str]]:
    return [Counter(text[start : start + size] for start in range(len(text) - size + 1)) for size in _CHRF_ORDERS]


def _chrf_score(hypothesis: list[Counter[str]], reference: list[Counter[str]]) -> float:
    """F of mean precision and mean recall over the orders that both texts are long enough for."""
    shared = [(own, other) for own, other in zip(hypothesis, reference, strict=True) if own and other]
    if not shared:
        return 0.0
    matches = [sum(min(count, other[part]) for part, count in own.items() if part in other) for own, other in shared]
    precision = sum(match / own.total() for match, (own, _) in zip(matches, shared, strict=True)) / len(shared)
    recall = sum(match / other.total() for match, (_, other) in zip(matches, shared, strict=True)) / len(shared)
    if not precision + recall:
        return 0.0
    return (1 + _CHRF_BETA**2) * precision * recall / (_CHRF_BETA**2 * precision + recall)


def _edit(texts: Sequence[str]) -> list[list[float]]:
    from rapidfuzz.distance import Levenshtein

    return [[Levenshtein.normalized_similarity(own, other) for other in texts] for own in texts]


_UTILITIES: dict[str, Utility] = {"chrf": _chrf, "edit": _edit}
