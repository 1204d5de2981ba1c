"""The state of a search between two steps, and what one step leads to."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.decoding.search.finished import Finished
from seq2seq.shapes import BeamIds, BeamScores, Lengths, Logits
from seq2seq.symbols import BOS

Slots = Int[Tensor, "batch beam"]


class Frontier(NamedTuple):
    """The sentences still searched and their hypotheses; every tensor has these sentences on axis 0."""

    sentences: Tensor  # their numbers in the batch that the search was given
    lengths: Tensor  # of their sources
    min_length: Tensor  # tokens before EOS is allowed
    max_length: Tensor  # tokens at most, EOS included
    ids: Tensor  # batch beam: the last token of every hypothesis
    scores: Tensor  # batch beam: what the search sums; -inf is an empty slot
    prefixes: Tensor  # batch beam time: all tokens, or none if nobody asks
    coverage: Tensor  # batch beam source: attention received, or none if nobody asks
    finished: Finished
    done: Tensor

    @classmethod
    def start(
        cls, lengths: Lengths, min_length: Lengths, max_length: Lengths, finished: Finished, coverage: Tensor
    ) -> "Frontier":
        """A frontier of one empty hypothesis for every sentence."""
        sentences = torch.arange(len(lengths), device=lengths.device)
        ids = torch.full_like(sentences, BOS).unsqueeze(1)
        done = torch.zeros_like(sentences, dtype=torch.bool)
        scores = torch.zeros(len(lengths), 1, device=lengths.device)
        return cls(
            sentences,
            lengths,
            min_length,
            max_length,
            ids,
            scores,
            ids.new_zeros(*ids.shape, 0),
            coverage,
            finished,
            done,
        )

    def advance(self, choice: "Selection", finished: Finished, *, remember: bool) -> "Frontier":
        """The frontier after the chosen tokens, which join the prefixes if it shall `remember` them."""
        prefixes = choice.follow(self.prefixes)
        if remember:
            prefixes = torch.cat([prefixes, choice.ids.unsqueeze(-1)], -1)
        coverage = choice.follow(self.coverage)
        return self._replace(
            ids=choice.ids, scores=choice.scores, prefixes=prefixes, coverage=coverage, finished=finished
        )


@dataclass(frozen=True)
class NextTokens:
    """Scores of every next token: `scores` plus the row's `totals` is what a hypothesis would come to.

    Where nothing filters, the scores are the log-probabilities that the model itself gives, `own`.
    """

    scores: Logits
    totals: BeamScores
    own: Logits
    position: int

    def log_probabilities(self, parents: Slots, ids: BeamIds) -> BeamScores:
        """The log-probabilities that the model itself, before any filter, gives to `ids` after their parents."""
        return self.own.flatten(1).gather(1, parents * self.own.shape[2] + ids)


@dataclass(frozen=True)
class Selection:
    """Hypotheses that go on, and those that end; a score of -inf is none."""

    parents: Slots
    ids: BeamIds
    scores: BeamScores
    ended: Int[Tensor, "batch ended"]  # the parents of those that end
    ended_scores: Float[Tensor, "batch ended"]
    stayed: bool = False  # whether every hypothesis goes on in its own slot

    @cached_property
    def may_end(self) -> bool:
        """Tell whether any hypothesis may end; on another device than a CPU, where a look would wait, it may."""
        return may_be_any(self.ended_scores > float("-inf"))

    def follow(self, values: Float[Tensor, "batch beam size"] | Int[Tensor, "batch beam size"]) -> Tensor:
        """Values of each hypothesis's parent, `batch beam size`."""
        if self.stayed:
            return values
        return values.gather(1, self.parents.unsqueeze(-1).expand(-1, -1, values.shape[2]))


def may_be_any(mask: Tensor) -> bool:
    """Tell whether a mask may be True anywhere; on another device than a CPU, where a look would wait, it may."""
    return mask.device.type != "cpu" or bool(mask.any())
