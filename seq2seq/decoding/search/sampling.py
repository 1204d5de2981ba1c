"""Tokens drawn from the model's distribution."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.frontier import Choice, Frontier, NextTokens
from seq2seq.decoding.search.greedy import continue_with
from seq2seq.decoding.search.search import Search
from seq2seq.errors import UserError
from seq2seq.mixing import mixed
from seq2seq.shapes import BeamIds, Lengths, Logits, SourceIds

Numbers = Int[Tensor, "batch samples"]


class Sampling(Search[Numbers]):
    """Independent samples of every sentence, the likeliest first; two can be the same.

    Tokens are drawn from softmax(scores / temperature), cut to the `top_k` likeliest (Fan et al. 2018; 0: all) and then
    to the fewest whose probabilities reach `top_p` (Holtzman et al. 2020). The random numbers are a function
    of the seed, the sentence, the sample and the position: a sentence gets the same samples whatever is beside it.
    Raises UserError if an option is out of range.

    >>> import torch
    >>> from seq2seq.decoding.request import Request
    >>> from seq2seq.decoding.search.sampling import Sampling
    >>> from seq2seq.decoding.table import Table
    >>> table = Table({2: {4: 0.5, 5: 0.5}, 4: {4: 0.5, 3: 0.5}, 5: {5: 0.5, 3: 0.5}})  # 2 is BOS, 3 is EOS
    >>> for search in (Sampling(samples=3, seed=seed) for seed in (1, 1, 5)):
    ...     print([one.ids for one in search(table, torch.tensor([[3]]), torch.tensor([1]), Request(n_best=3))[0]])
    [[4], [4, 4], [4, 4, 4, 4, 4]]
    [[4], [4, 4], [4, 4, 4, 4, 4]]
    [[5], [4, 4], [5, 5, 5, 5, 5]]
    """

    distinct = False

    def __init__(
        self,
        *,
        samples: int = 1,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 1,
        length: LengthLimits | None = None,
        filters: Filters | None = None,
    ) -> None:
        super().__init__(length=length, filters=filters)
        if samples < 1:
            raise UserError(f"samples must be at least 1, but is {samples}.")
        if temperature <= 0:
            raise UserError(f"temperature must be above 0, but is {temperature}: for the limit, search greedily.")
        if top_k < 0:
            raise UserError(f"top_k must be at least 0 (0: all tokens), but is {top_k}.")
        if not 0 < top_p <= 1:
            raise UserError(f"top_p must be above 0 and at most 1, but is {top_p}.")
        self.width = samples
        self.temperature, self.top_k, self.top_p, self.seed = temperature, top_k, top_p, seed

    def prepare(self, source: SourceIds, lengths: Lengths, request: Request) -> Numbers:
        """A number for every sentence and sample, from which its random numbers are made."""
        super().prepare(source, lengths, request)
        key = mixed(torch.full_like(lengths, self.seed))
        for position, ids in enumerate(source.unbind(1)):
            key = torch.where(position < lengths, mixed(key + ids), key)
        return mixed(key.unsqueeze(1) + torch.arange(self.width, device=source.device))

    def choose(self, following: NextTokens, frontier: Frontier, context: Numbers) -> Choice:
        first = following.scores.shape[1] < self.width
        if first:  # every sample begins with the one empty hypothesis
            following = NextTokens(
                scores=following.scores.expand(-1, self.width, -1),
                totals=following.totals.expand(-1, self.width),
                logits=following.logits.expand(-1, self.width, -1),
                normalizer=following.normalizer.expand(-1, self.width),
                position=following.position,
            )
        chance = _uniform(mixed(context[frontier.sentences] + following.position))
        choice = continue_with(self._draw(following.scores, chance), following)
        if not first:
            return choice
        none = torch.zeros_like(choice.parents)
        return replace(choice, parents=none, ended=none, stayed=False)

    def _draw(self, scores: Logits, chance: Float[Tensor, "batch samples"]) -> BeamIds:
        """The token at which the distribution function passes `chance`."""
        # From the best one down, so that no temperature makes the scores overflow.
        scores, ids = (scores - scores.amax(-1, keepdim=True)).double() / self.temperature, None
        if self.top_k or self.top_p < 1:
            scores, ids = scores.topk(min(self.top_k or scores.shape[-1], scores.shape[-1]), -1)
        share = scores.softmax(-1, dtype=torch.float64).nan_to_num(0.0)  # NaN where filters left nothing
        share = share.masked_fill(share.cumsum(-1) - share >= self.top_p, 0.0) if self.top_p < 1 else share
        passed = share.cumsum(-1)
        total = passed[..., -1]
        goal = torch.minimum(chance * total, total.nextafter(torch.zeros_like(total)))
        drawn = torch.searchsorted(passed, goal.unsqueeze(-1), right=True).clamp(max=passed.shape[-1] - 1)
        return (drawn if ids is None else ids.gather(-1, drawn)).squeeze(-1)


def _uniform(numbers: Tensor) -> Float[Tensor, "batch samples"]:
    """The fractions, at least 0 and below 1, that 53 bits of each number make."""
    return (numbers & ((1 << 53) - 1)).double() * 2.0**-53
