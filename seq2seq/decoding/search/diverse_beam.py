"""Beam search whose groups keep away from each other."""

import torch
from torch.nn import functional

from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import CoveragePenalty, Ranking
from seq2seq.decoding.search.beam import best_continuations
from seq2seq.decoding.search.frontier import Frontier, NextTokens, Selection
from seq2seq.decoding.search.search import Search
from seq2seq.errors import UserError, check_finite


class DiverseBeamSearch(Search[None]):
    """Groups of a beam in turn, each paying for tokens that earlier groups chose at the same step.

    The price is `penalty` nats per group that chose the token (Hamming diversity of Vijayakumar et al. 2018); to end
    is free. It steers the choice alone: hypotheses are summed and ranked without it. Every group finds its own n best.
    Raises UserError if an option is out of range.

    >>> import torch
    >>> from seq2seq.decoding.request import Request
    >>> from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
    >>> from seq2seq.decoding.table import Table
    >>> table = Table({2: {4: 0.8, 5: 0.2}, 4: {6: 0.6, 7: 0.4}})  # 2 is BOS
    >>> for search in (DiverseBeamSearch(beam_size=2, groups=groups, penalty=2.0) for groups in (1, 2)):
    ...     print([one.ids for one in search(table, torch.tensor([[3]]), torch.tensor([1]), Request(n_best=2))[0]])
    [[4, 6], [4, 7]]
    [[4, 6], [5]]
    """

    def __init__(
        self,
        *,
        beam_size: int = 6,
        groups: int = 3,
        penalty: float = 0.5,
        ranking: Ranking | None = None,
        coverage_penalty: CoveragePenalty | None = None,
        length: LengthLimits | None = None,
        filters: Filters | None = None,
    ) -> None:
        check_finite(penalty=penalty)
        super().__init__(length=length, filters=filters, ranking=ranking, coverage_penalty=coverage_penalty)
        if beam_size < 1 or groups < 1 or beam_size % groups:
            raise UserError(
                f"beam_size must be a multiple of groups, both at least 1, but they are {beam_size} and {groups}."
            )
        if penalty < 0:
            raise UserError(f"penalty must be at least 0, but is {penalty}.")
        self.width, self.groups, self.penalty = beam_size, groups, penalty

    def choose(self, following: NextTokens, frontier: Frontier, context: None) -> Selection:
        size = self.width // self.groups
        used = torch.zeros_like(following.scores[:, :1])  # how many groups chose each token
        choices = []
        for group in range(self.groups):
            # The empty hypothesis of the first step is every group's beginning.
            first = group * size if following.scores.shape[1] > 1 else 0
            own = slice(first, first + size)
            penalised = following.scores[:, own] - self.penalty * used
            choice = best_continuations(penalised, following.totals[:, own], size)
            paid = self.penalty * used.squeeze(1)
            choices.append(
                Selection(
                    choice.parents + first,
                    choice.ids,
                    choice.scores + paid.gather(1, choice.ids),
                    choice.ended + first,
                    choice.ended_scores,
                )
            )
            chosen = functional.one_hot(choice.ids, used.shape[2]) * (choice.scores > float("-inf")).unsqueeze(-1)
            used = used + chosen.amax(1, keepdim=True)
        parents, ids, scores, ended, ended_scores = (
            torch.cat([getattr(choice, name) for choice in choices], 1)
            for name in ("parents", "ids", "scores", "ended", "ended_scores")
        )
        return Selection(parents, ids, scores, ended, ended_scores)
