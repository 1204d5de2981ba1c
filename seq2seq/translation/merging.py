"""Translations that several hypotheses come to."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from seq2seq.decoding.ranking import Ranking
from seq2seq.translation.line import Translation


def merged(found: Sequence[Translation], ranking: Ranking) -> list[Translation]:
    """Translations of different texts, best first, from some that may be of equal ones.

    A text that several ways of writing it come to has the sum of their probabilities, the rank that the search gives
    that sum, and the hypothesis that stood first among them otherwise. What did not come to its end stands behind, and
    only where no other has its text.
    """
    by_text: dict[str, list[Translation]] = {}
    for own in found:
        by_text.setdefault(own.text, []).append(own)
    sums = [
        _sum(ended, ranking) for own in by_text.values() if (ended := [one for one in own if one.hypothesis.finished])
    ]
    cut = [own[0] for own in by_text.values() if not any(one.hypothesis.finished for one in own)]
    return sorted(sums, key=lambda own: -own.hypothesis.rank_score) + cut


def _sum(ways: Sequence[Translation], ranking: Ranking) -> Translation:
    """The first of some ways to write a text, with the probability of all."""
    first = ways[0].hypothesis
    gained = math.log(math.fsum(math.exp(own.hypothesis.score - first.score) for own in ways))
    scores = torch.tensor([first.score, first.score + gained], dtype=torch.float64)
    before, after = ranking(scores, len(first.ids) + 1).tolist()  # with EOS
    # The difference, as the search may have ranked by more than the model's score: filters, coverage.
    summed = replace(first, score=first.score + gained, rank_score=first.rank_score + after - before)
    return replace(ways[0], hypothesis=summed)
