"""Edits of the scores of next tokens: what a hypothesis may say, and what it should rather not."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.errors import UserError, check_finite
from seq2seq.symbols import EOS, UNK

NextScores = Float[Tensor, "batch beam vocabulary"]
_NEVER = float("-inf")


@dataclass(frozen=True)
class Prefixes:
    """The hypotheses as they stand before the next token, and the sentences that they belong to."""

    ids: Int[Tensor, "batch beam time"]
    sentences: Int[Tensor, " batch"]  # their numbers in the batch that the search was given
    alive: Bool[Tensor, "batch beam"]  # the others are empty places of the beam, and their ids mean nothing
    unfiltered: NextScores | None = None  # what the model gives to next tokens; None where nobody asks

    @property
    def position(self) -> int:
        """The number of tokens that every hypothesis has so far."""
        return self.ids.shape[2]


class Filter(ABC):
    """An edit of next-token scores by the prefixes alone, so that reordering the beam needs no care."""

    # Whether it also changes the scores of tokens that it lets through.
    changes_scores: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, scores: NextScores, prefixes: Prefixes) -> NextScores:
        """The log-probabilities of next tokens, edited; in place if that is easier."""


class NGramBlocking(Filter):
    """A bar to tokens that would repeat an n-gram of their hypothesis (Paulus et al. 2018)."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, scores: NextScores, prefixes: Prefixes) -> NextScores:
        ids, before = prefixes.ids, self.size - 1
        if prefixes.position < self.size:
            return scores
        windows = ids.unfold(2, self.size, 1)
        last = ids[..., prefixes.position - before :].unsqueeze(2)
        repeated = (windows[..., :before] == last).all(-1)
        would_repeat = torch.zeros_like(scores).scatter_add_(-1, windows[..., -1], repeated.to(scores.dtype))
        return scores.masked_fill_(would_repeat > 0, _NEVER)


class RepetitionPenalty(Filter):
    """A price on tokens that the hypothesis has already: their log-probability times `factor` (after Keskar 2019)."""

    changes_scores = True

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, scores: NextScores, prefixes: Prefixes) -> NextScores:
        seen = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, prefixes.ids, True)
        seen[..., EOS] = False
        return torch.where(seen, scores * self.factor, scores)


class EndBias(Filter):
    """A number added to the log-probability of EOS; above 0 for shorter hypotheses, below for longer ones."""

    changes_scores = True

    def __init__(self, bias: float) -> None:
        self.bias = bias

    def __call__(self, scores: NextScores, prefixes: Prefixes) -> NextScores:
        scores[..., EOS] += self.bias
        return scores


class Permitted(Filter):
    """A bar to all tokens but these and EOS, in all sentences; `beyond` permits what comes behind the vocabulary."""

    def __init__(self, ids: Iterable[int], vocabulary_size: int, *, beyond: bool = False) -> None:
        self.barred = torch.ones(vocabulary_size, dtype=torch.bool)
        self.barred[[EOS, *ids]] = False
        self.beyond = beyond

    def __call__(self, scores: NextScores, prefixes: Prefixes) -> NextScores:
        self.barred = self.barred.to(scores.device)
        scores[..., : len(self.barred)].masked_fill_(self.barred, _NEVER)
        if not self.beyond:
            scores[..., len(self.barred) :] = _NEVER
        return scores


class KnownAlone(Filter):
    """A bar to UNK."""

    def __call__(self, scores: NextScores, prefixes: Prefixes) -> NextScores:
        scores[..., UNK] = _NEVER
        return scores


class PermittedNext(Filter):
    """A bar to all tokens but those that a function allows after a prefix of a sentence (De Cao et al. 2021).

    The function takes the number of the sentence and the ids of the prefix; None allows all. It is called for every
    hypothesis at every step: a few thousand times a second at most.
    """

    def __init__(self, function: Callable[[int, list[int]], Iterable[int] | None]) -> None:
        self.function = function

    def __call__(self, scores: NextScores, prefixes: Prefixes) -> NextScores:
        for row, sentence in enumerate(prefixes.sentences.tolist()):
            for place in prefixes.alive[row].nonzero().flatten().tolist():
                allowed = self.function(sentence, prefixes.ids[row, place].tolist())
                if allowed is not None:
                    chosen = torch.tensor(list(allowed), dtype=torch.long, device=scores.device)
                    kept = scores[row, place, chosen]
                    scores[row, place] = _NEVER
                    scores[row, place, chosen] = kept
        return scores


class ForcedPrefix(Filter):
    """A bar to all tokens but the given one, for as long as the prefix of a sentence lasts.

    What is forced outranks what others forbid or price: the given token has the model's own score. A search calls it
    behind all other filters.
    """

    def __init__(self, prefixes: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> None:
        longest = max(map(len, prefixes))
        self.ids = torch.tensor([[*prefix, *[-1] * (longest - len(prefix))] for prefix in prefixes], device=device)

    def __call__(self, scores: NextScores, prefixes: Prefixes) -> NextScores:
        if prefixes.position >= self.ids.shape[1]:
            return scores
        forced = self.ids[prefixes.sentences, prefixes.position].view(-1, 1, 1)
        if prefixes.unfiltered is not None:
            scores = torch.where(forced >= 0, prefixes.unfiltered, scores)
        others = torch.arange(scores.shape[-1], device=scores.device) != forced
        return scores.masked_fill_(others & (forced >= 0), _NEVER)


class Filters:
    """The filters that need nothing but a number, each off at its neutral value.

    Raises UserError if a number is out of range.
    """

    def __init__(self, *, no_repeat_ngram: int = 0, repetition_penalty: float = 1.0, end_bias: float = 0.0) -> None:
        check_finite(repetition_penalty=repetition_penalty, end_bias=end_bias)
        if no_repeat_ngram < 0:
            raise UserError(f"no_repeat_ngram must be at least 0 (0: off), but is {no_repeat_ngram}.")
        if repetition_penalty <= 0:
            raise UserError(
                f"repetition_penalty must be above 0 (1: off, more: fewer repetitions), but is {repetition_penalty}."
            )
        self.active: list[Filter] = []
        if no_repeat_ngram:
            self.active.append(NGramBlocking(no_repeat_ngram))
        if repetition_penalty != 1:
            self.active.append(RepetitionPenalty(repetition_penalty))
        if end_bias:
            self.active.append(EndBias(end_bias))
