"""Phrases that a hypothesis must hold, and the share of the beam that each stage of keeping them gets."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq.symbols import PAD

Progress = Int[Tensor, "batch candidates"]
CandidateIds = Int[Tensor, "batch candidates time"]


class Phrases:
    """The phrases of every sentence in a batch, in any order (constraints of Post & Vilar 2018).

    What hypotheses hold is computed from their ids alone, so that reordering the beam needs no care.
    """

    def __init__(self, phrases: Sequence[Sequence[Sequence[int]]], device: torch.device | str = "cpu") -> None:
        most = max(1, max(len(own) for own in phrases))
        longest = max([1, *(len(phrase) for own in phrases for phrase in own)])
        rows = [[[*phrase, *[PAD] * (longest - len(phrase))] for phrase in own] for own in phrases]
        empty = [PAD] * longest
        self.ids = torch.tensor([[*row, *[empty] * (most - len(row))] for row in rows], device=device)
        self.lengths = (self.ids != PAD).sum(-1)  # batch phrases; 0 is none

    def of(self, sentences: Int[Tensor, " batch"]) -> "Phrases":
        """The phrases of the given sentences, in their order."""
        chosen = object.__new__(Phrases)
        chosen.ids, chosen.lengths = self.ids[sentences], self.lengths[sentences]
        return chosen

    @property
    def total(self) -> Int[Tensor, " batch"]:
        """The number of tokens in all phrases of each sentence."""
        return self.lengths.sum(1)

    def _held(self, ids: CandidateIds) -> Bool[Tensor, "batch candidates phrases"]:
        longest = self.ids.shape[2]
        padded = torch.nn.functional.pad(ids, (0, longest - 1), value=-1)
        windows = padded.unfold(2, longest, 1).unsqueeze(2)  # batch candidates 1 time longest
        wanted = self.ids[:, None, :, None]
        return ((windows == wanted) | (wanted == PAD)).all(-1).any(-1) | (self.lengths == 0).unsqueeze(1)

    def _begun(self, ids: CandidateIds) -> Int[Tensor, "batch candidates phrases"]:
        """The number of tokens at a hypothesis's end that are the beginning of each phrase."""
        begun = torch.zeros(*ids.shape[:2], self.ids.shape[1], dtype=torch.long, device=ids.device)
        for length in range(1, min(self.ids.shape[2] - 1, ids.shape[2]) + 1):
            same = (ids[:, :, None, ids.shape[2] - length :] == self.ids[:, None, :, :length]).all(-1)
            begun = torch.where(same & (length < self.lengths).unsqueeze(1), length, begun)
        return begun

    def progress(self, ids: CandidateIds) -> Progress:
        """The number of tokens in the phrases that a hypothesis holds, and in the one that is furthest begun."""
        if ids.shape[2] == 0:
            return ids.new_zeros(ids.shape[:2])
        held = self._held(ids)
        begun = self._begun(ids).masked_fill(held, 0).amax(-1)
        return (held * self.lengths.unsqueeze(1)).sum(-1) + begun

    def next_tokens(self, ids: CandidateIds) -> Int[Tensor, "batch candidates phrases"]:
        """The token that continues each phrase in each hypothesis; PAD if the phrase is held already."""
        if ids.shape[2] == 0:
            return self.ids[:, None, :, 0].expand(-1, ids.shape[1], -1)
        places = self._begun(ids).unsqueeze(-1)
        following = self.ids.unsqueeze(1).expand(-1, ids.shape[1], -1, -1).gather(-1, places).squeeze(-1)
        return following.masked_fill(self._held(ids), PAD)


def round_robin(scores: Tensor, progress: Progress) -> Int[Tensor, "batch candidates"]:
    """The order that takes the best of every stage of progress in turn, the furthest first (after Post & Vilar 2018).

    Scores, progress and the places of candidates that come back are `batch candidates`. So every stage has an equal
    share of a beam, and what one cannot fill goes to the others.
    """
    by_score = scores.argsort(dim=-1, descending=True, stable=True)
    stage = progress.gather(1, by_score)
    order = stage.argsort(dim=-1, stable=True)
    sorted_stage = stage.gather(1, order)
    places = torch.arange(scores.shape[1], device=scores.device).expand(scores.shape)
    starts = torch.searchsorted(sorted_stage.contiguous(), sorted_stage.contiguous())
    rank = torch.empty_like(stage).scatter_(1, order, places - starts)  # place within its stage, by score
    dead = scores.gather(1, by_score) == float("-inf")
    turns = rank * (1 << 20) - stage + dead * (1 << 40)  # phrases hold far fewer tokens than 2^20
    return by_score.gather(1, turns.argsort(dim=-1, stable=True))
