"""Greedy search: the likeliest token at every step."""

from collections.abc import Sequence

import torch

from seq2seq.decoding.filters import Filters
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.frontier import Frontier, NextTokens, Selection
from seq2seq.decoding.search.search import Search
from seq2seq.decoding.stepper import LabelStepper, Memory, States, Stepper
from seq2seq.shapes import BeamIds, Lengths, Source
from seq2seq.symbols import EOS

_NONE = float("-inf")


class GreedySearch(Search[None]):
    """The likeliest token at every step, until that is EOS. A likelier sequence that begins less likely is missed.

    A stepper that reads nothing of what was written is asked once for all, where nothing edits its scores.

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

    @torch.inference_mode()
    def __call__(
        self, stepper: Stepper[Memory, States], source: Source, lengths: Lengths, request: Request | None = None
    ) -> list[list[Hypothesis]]:
        if not isinstance(stepper, LabelStepper) or not self._is_plain(request or Request()):
            return super().__call__(stepper, source, lengths, request)
        found = stepper.labels(*stepper.start(source, lengths))
        rows = zip(*(each.tolist() for each in (*found, self.length.max_length(lengths))), strict=True)
        return [[_cut(*row)] for row in rows]

    def choose(self, following: NextTokens, frontier: Frontier, context: None) -> Selection:
        return continue_with(following.scores.argmax(-1), following)

    def _is_plain(self, request: Request) -> bool:
        """Tell whether nothing is asked for but the likeliest token at every step."""
        edits = self.filters.active or request.filters or request.phrases is not None or self.length.forces
        return request.n_best == 1 and not request.attention and not edits


def _cut(ids: Sequence[int], scores: Sequence[float], most: int) -> Hypothesis:
    """The hypothesis of tokens up to their EOS, which counts among the `most` that there may be."""
    end = ids.index(EOS)
    finished = end < most
    kept = list(scores[: end + 1 if finished else most])
    total = sum(kept, 0.0)
    return Hypothesis(list(ids[: min(end, most)]), total, finished, total, kept)


def continue_with(ids: BeamIds, following: NextTokens) -> Selection:
    """The choice of one given token for every hypothesis; EOS ends it."""
    scores = following.totals + following.scores.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    slots = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    ends = ids == EOS
    going, ended = scores.masked_fill(ends, _NONE), scores.where(ends, _NONE)
    return Selection(slots, ids, going, slots, ended, stayed=True)
