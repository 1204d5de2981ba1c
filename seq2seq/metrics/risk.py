"""The risk of one sentence, by any of the scores."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from rapidfuzz.distance import Levenshtein

from seq2seq.errors import UserError
from seq2seq.metrics.scores import Scores

Risks = Float[np.ndarray, " sentence"]
_EDITS = "edits"
_PERFECT = "a b c d e f"
_CHOSEN = (("per", "wer"), ("bleu",), ("exact_match", _EDITS))  # the first that there are, where none are named


class Risk:
    """The risk of a sentence: the sum of what named scores of it alone lack of perfect, 1 for all of it.

    A score is one of the metrics', or `edits`: edits of characters to the closest reference, over its length. Without
    names it is PER + 1[wrong] for pronunciations, smoothed BLEU for translations, else edits + 1[wrong]. The metrics
    begin anew, settled by `references`: all that sentences may have. Raises UserError at a name that there is not.
    """

    def __init__(
        self, metrics: Mapping[str, Scores], references: Sequence[Sequence[str]], names: Sequence[str] = ()
    ) -> None:
        directions = [(metric, _directions(metric)) for metric in metrics.values()]
        known = {_EDITS: False} | {name: higher for _, own in directions for name, higher in own.items()}
        chosen = [group for group in _CHOSEN if all(name in known for name in group)]
        self.names = tuple(names) or (chosen[0] if chosen else (_EDITS,))
        for name in self.names:
            if name not in known:
                raise UserError(f"risk must be among {', '.join(sorted(known))}, scores of metrics, but is {name!r}.")
        self._metrics = [metric for metric, own in directions if own.keys() & set(self.names)]
        for metric in self._metrics:
            metric.prepare(references)
        self._higher_is_better = known

    def __call__(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str]) -> Risks:
        """The risk of every hypothesis, which has one or more references."""
        found: dict[str, Risks] = {}
        for metric in self._metrics:
            found |= metric.of_sentences(metric.counts(hypotheses, references, sources))
        if _EDITS in self.names:
            found[_EDITS] = 100 * np.array([_edit_rate(*pair) for pair in zip(hypotheses, references, strict=True)])
        total = np.zeros(len(hypotheses))
        for name in self.names:
            total += 1 - found[name] / 100 if self._higher_is_better[name] else found[name] / 100
        return total


def _directions(metric: Scores) -> dict[str, bool]:
    """Names of a metric's scores, each with whether a perfect sentence has much of it; the metric is left settled."""
    metric.prepare([[_PERFECT]])
    perfect = metric.scores(metric.counts([_PERFECT], [[_PERFECT]], [""]).sum(0)[None])
    return {name: bool(values[0] > 50) for name, values in perfect.items()}


def _edit_rate(hypothesis: str, references: Sequence[str]) -> float:
    rate: Callable[[str], float] = lambda known: Levenshtein.distance(hypothesis, known) / max(len(known), 1)  # noqa: E731
    return min(map(rate, references))
