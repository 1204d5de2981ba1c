"""Promises of a translator, tried on sources: whatever is searched beside a line, its answer is the same."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.search import Search
from seq2seq.translation.translator import Translator


class Tolerance(NamedTuple):
    """Limits that a promise is kept within: nats in a token's score, and the share of sentences with other tokens."""

    nats: float
    share: float


@dataclass(frozen=True)
class Finding:
    """A promise and its result: of so many sentences, how many have other tokens, and a score's worst difference."""

    promise: str
    sentences: int
    different: int
    worst: float

    def kept(self, tolerance: Tolerance) -> bool:
        """Tell whether the promise is kept within a tolerance."""
        return self.different <= tolerance.share * self.sentences and self.worst <= tolerance.nats


def find(translator: Translator, sources: Sequence[str], search: Search, *, seed: int) -> list[Finding]:
    """Findings, one per promise, on greedy, beam and the search that is asked for."""
    limits: dict[str, Any] = {"length": search.length, "filters": search.filters}
    greedy, beam = GreedySearch(**limits), BeamSearch(beam_size=5, **limits)
    searches = {type(own).__name__: own for own in (greedy, beam, search)}
    found = {name: _run(translator, own, sources) for name, own in searches.items()}
    one = _run(translator, BeamSearch(beam_size=1, **limits), sources)
    findings = [_compare("greedy is a beam of 1", found["GreedySearch"], one)]
    order = torch.randperm(len(sources), generator=torch.Generator().manual_seed(seed)).tolist()
    for name, own in searches.items():
        scored = translator.score(sources, [hypothesis.ids for hypothesis in found[name]])
        findings.append(_compare(f"{name}: forced score is search score", found[name], scored))
        alone = [_run(translator, own, [source])[0] for source in sources]
        findings.append(_compare(f"{name}: one by one is all together", found[name], alone))
        shuffled = _run(translator, own, [sources[row] for row in order])
        findings.append(_compare(f"{name}: shuffled is in order", [found[name][row] for row in order], shuffled))
    return findings


def _run(translator: Translator, search: Search, sources: Sequence[str]) -> list[Hypothesis]:
    """The best hypothesis of every source, by one search."""
    own = copy(translator)
    own.search = search
    return own.hypotheses(sources)


def _compare(promise: str, first: Sequence[Hypothesis], second: Sequence[Hypothesis]) -> Finding:
    """The finding on two lists of hypotheses for the same sentences.

    Scores are compared token by token, as far as both go: a hypothesis cut at its limit has no score of its end.
    """
    different, worst = 0, 0.0
    for one, other in zip(first, second, strict=True):
        different += one.ids != other.ids
        gaps = (abs(a - b) for a, b in zip(one.token_scores, other.token_scores, strict=False))
        if one.ids == other.ids:
            worst = float(torch.tensor([worst, *gaps], dtype=torch.float64).max())  # NaN, if one of them is
    return Finding(promise, len(first), different, worst)
