"""The likeliest token at every step."""

from typing import Any

import torch

from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.frontier import Choice, Frontier, NextTokens
from seq2seq.decoding.search.search import Search
from seq2seq.shapes import BeamIds
from seq2seq.symbols import EOS


class GreedySearch(Search):
    """Greedy decoding."""

    def __init__(self, *, length: LengthLimits | None = None, filters: Filters | None = None) -> None:
        super().__init__(length=length, filters=filters)

    def choose(self, following: NextTokens, frontier: Frontier, context: Any) -> Choice:
        return continue_with(following.scores.argmax(-1), following)


def continue_with(ids: BeamIds, following: NextTokens) -> Choice:
    """One token for every hypothesis; EOS ends it."""
    scores = following.totals + following.scores.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    slots = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    ends = ids == EOS
    nothing = float("-inf")
    return Choice(slots, ids, scores.masked_fill(ends, nothing), slots, scores.masked_fill(~ends, nothing), stayed=True)
