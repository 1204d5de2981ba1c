"""Orders of hypotheses other than that of their scores."""

import math
from collections.abc import Callable, Sequence

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError

Utility = Callable[[str, str], float]


class MinimumBayesRisk:
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
        """The numbers of the hypotheses in their new order."""
        highest = max(hypothesis.score for hypothesis in hypotheses)
        weights = [math.exp(hypothesis.score - highest) if self.weighted else 1.0 for hypothesis in hypotheses]
        compare = _UTILITIES[self.utility]()
        expected = [sum(w * compare(own, other) for w, other in zip(weights, texts, strict=True)) for own in texts]
        return sorted(range(len(texts)), key=lambda number: -expected[number])


def _chrf() -> Utility:
    from sacrebleu.metrics.chrf import CHRF  # a second of imports that only this needs

    score = CHRF().sentence_score
    return lambda hypothesis, reference: score(hypothesis, [reference]).score / 100


def _edit() -> Utility:
    from rapidfuzz.distance import Levenshtein

    return lambda hypothesis, reference: Levenshtein.normalized_similarity(hypothesis, reference)


_UTILITIES: dict[str, Callable[[], Utility]] = {"chrf": _chrf, "edit": _edit}
