"""Greedy search: the likeliest token at every step."""

import torch

from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.frontier import Frontier, NextTokens, Selection
from seq2seq.decoding.search.search import Search
from seq2seq.shapes import BeamIds
from seq2seq.symbols import EOS

_NONE = float("-inf")


class GreedySearch(Search[None]):
    """The likeliest token at every step, until that is EOS. A likelier sequence that begins less likely is missed.

    >>> import torch
    >>> from seq2seq.decoding.search.greedy import GreedySearch
    >>> from seq2seq.decoding.table import Table
    >>> table = Table({2: {4: 0.6, 5: 0.4}, 4: {3: 0.5, 6: 0.3, 7: 0.2}})  # 2 is BOS, 3 is EOS; 5 is the last token
    >>> ((found,),) = GreedySearch()(table, torch.tensor([[3]]), torch.tensor([1]))
    >>> found.ids, round(found.score, 2)  # 0.6 * 0.5, but [5] has 0.4 * 1.0
    ([4], -1.2)
    """

    def __init__(self, *, length: LengthLimits | None = None, filters: Filters | None = None) -> None:
        super().__init__(length=length, filters=filters)

    def choose(self, following: NextTokens, frontier: Frontier, context: None) -> Selection:
        return continue_with(following.scores.argmax(-1), following)


def continue_with(ids: BeamIds, following: NextTokens) -> Selection:
    """The choice of one given token for every hypothesis; EOS ends it."""
    scores = following.totals + following.scores.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    slots = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    ends = ids == EOS
    going, ended = scores.masked_fill(ends, _NONE), scores.where(ends, _NONE)
    return Selection(slots, ids, going, slots, ended, stayed=True)
