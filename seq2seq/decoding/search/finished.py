"""Ended hypotheses, the best of each sentence."""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.shapes import BeamScores

# Taken from the rank of a hypothesis that never came to its end, so that it stands behind all that did.
_UNFINISHED = 1e9


class Finished(NamedTuple):
    """The best hypotheses so far, `batch group place`, best first; a rank of -inf is an empty place.

    A hypothesis is kept as where it was last: after `steps` tokens in slot `slots` of the beam.
    """

    ranks: Tensor  # float64, so that those behind keep their digits
    steps: Tensor
    slots: Tensor
    end_scores: Tensor  # the log-probability of EOS, 0 without it
    ended: Tensor  # batch group: how many came to their end so far

    @classmethod
    def empty(cls, batch: int, groups: int, places: int, like: Tensor) -> "Finished":
        """The finished hypotheses of a search that has found none, in the type and on the device of `like`."""
        shape = (batch, groups, places)
        numbers = torch.zeros(shape, dtype=torch.long, device=like.device)
        ranks = torch.full(shape, float("-inf"), dtype=torch.float64, device=like.device)
        return cls(ranks, numbers, numbers, like.new_zeros(shape), numbers[..., 0])

    def add_ended(self, ranks: BeamScores, slots: Tensor, end_scores: BeamScores, steps: int) -> "Finished":
        """The best of these and of hypotheses that came to their end, `batch ended`; a rank of -inf is none."""
        count = self._grouped(ranks > float("-inf")).sum(-1)
        return self._merge(ranks.double(), slots, end_scores, steps)._replace(ended=self.ended + count)

    def add_unfinished(self, ranks: BeamScores, steps: int, lacking: Tensor | int = 0) -> "Finished":
        """The best of these and of the beam as it stands, `batch beam`; -inf is none, what lacks more stands behind."""
        slots = torch.arange(ranks.shape[1], device=ranks.device).expand(ranks.shape)
        return self._merge(ranks.double() - _UNFINISHED * (1 + lacking), slots, torch.zeros_like(ranks), steps)

    def _grouped(self, values: Tensor) -> Tensor:
        return values.reshape(len(values), self.ranks.shape[1], -1)

    def _merge(self, ranks: Tensor, slots: Tensor, end_scores: Tensor, steps: int) -> "Finished":
        """The best of these and of those that come, which are all `steps` tokens long."""
        every = torch.cat([self.ranks, self._grouped(ranks)], -1)
        best, places = _best(every, self.ranks.shape[2])
        coming = (torch.full_like(slots, steps), slots, end_scores)
        lengths, slots, end_scores = (
            torch.cat([old, self._grouped(new)], -1).gather(-1, places)
            for old, new in zip(self[1:4], coming, strict=True)
        )
        return Finished(best, lengths, slots, end_scores, self.ended)

    def sorted(self, places: int) -> "Finished":
        """The best of all groups together, `batch place`."""
        ranks, order = _best(self.ranks.flatten(1), places)
        steps, slots, end_scores = (kept.flatten(1).gather(1, order) for kept in self[1:4])
        return Finished(ranks, steps, slots, end_scores, self.ended)

    @property
    def complete(self) -> Tensor:
        """A mask of the hypotheses that came to their end."""
        return self.ranks > -_UNFINISHED / 2

    @property
    def rank_scores(self) -> Tensor:
        """The ranks, those of unfinished hypotheses as if they had ended."""
        return self.ranks - _UNFINISHED * (self.ranks / _UNFINISHED).round().nan_to_num(0.0, neginf=0.0)


def _best(ranks: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` best ranks, best first, and their places; of equals those that came first, which topk does not heed.

    Else what a sentence keeps would hang on how often it is looked at, and so on the sentences beside it.
    """
    ranks, places = ranks.sort(descending=True, stable=True)
    return ranks[..., :count], places[..., :count]
