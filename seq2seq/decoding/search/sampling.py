"""Tokens drawn from the model's distribution."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.frontier import Frontier, NextTokens, Selection
from seq2seq.decoding.search.greedy import continue_with
from seq2seq.decoding.search.search import Search
from seq2seq.errors import UserError, check_finite
from seq2seq.mixing import mixed
from seq2seq.shapes import BeamIds, BeamScores, Lengths, Logits, Source

Numbers = Int[Tensor, "batch samples"]

_BLOCK = 64  # tokens whose weights are summed in single precision
_FEW = 256  # tokens that hold `top_p` at most steps


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
        check_finite(temperature=temperature)
        super().__init__(length=length, filters=filters)
        if samples < 1:
            raise UserError(f"samples must be at least 1, but is {samples}.")
        if temperature <= 0:
            raise UserError(f"temperature must be above 0, but is {temperature}: for the limit, search greedily.")
        if top_k < 0:
            raise UserError(f"top_k must be at least 0 (0: all tokens), but is {top_k}.")
        if not 0 < top_p <= 1:
            raise UserError(f"top_p must be above 0 and at most 1, but is {top_p}.")
        if not abs(seed) < 1 << 63:
            raise UserError(f"seed must be a whole number of at most 63 bits, but is {seed}.")
        self.width = samples
        self.temperature, self.top_k, self.top_p, self.seed = temperature, top_k, top_p, seed

    def prepare(self, source: Source, lengths: Lengths, request: Request) -> Numbers:
        """A number for every sentence and sample, from which its random numbers are made."""
        super().prepare(source, lengths, request)
        key = mixed(torch.full_like(lengths, self.seed))
        for position, numbers in enumerate(_whole_numbers(source).unbind(1)):
            key = torch.where(position < lengths, mixed(key + numbers), key)
        return mixed(key.unsqueeze(1) + torch.arange(self.width, device=source.device))

    def choose(self, following: NextTokens, frontier: Frontier, context: Numbers) -> Selection:
        first = following.scores.shape[1] < self.width
        if first:  # every sample begins with the one empty hypothesis
            following = NextTokens(
                scores=following.scores.expand(-1, self.width, -1),
                totals=following.totals.expand(-1, self.width),
                own=following.own.expand(-1, self.width, -1),
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
        if not self.top_k and self.top_p == 1:
            return _place_by_blocks(self._tempered(scores, scores.amax(-1)), chance)
        size = scores.shape[-1]
        # Whether the few best suffice is known to the processor at once; another device would be waited for.
        few = self.top_k or (_FEW if scores.device.type == "cpu" else size)
        drawn, reached = self._draw_from_best(scores, chance, few)
        if few < size and not self.top_k and not reached.all():
            short = ~reached
            rest = scores[short].unsqueeze(0), chance[short].unsqueeze(0)  # (rows, ...) as samples of one sentence
            drawn[short] = self._draw_from_best(*rest, size)[0].squeeze(0)
        return drawn

    def _draw_from_best(
        self, scores: Logits, chance: Float[Tensor, "batch samples"], few: int
    ) -> tuple[BeamIds, Bool[Tensor, "batch samples"]]:
        """The tokens drawn from the `few` best, and whether `top_p` is reached among these."""
        few = min(few, scores.shape[-1])
        best, ids = scores.sort(-1, descending=True) if few == scores.shape[-1] else scores.topk(few, -1)
        top = best[..., 0]
        weights = self._tempered(best, top, torch.float64).exp()
        every = weights if self.top_k or few == scores.shape[-1] else _block_sums(_blocks(self._tempered(scores, top)))
        enough = self.top_p * every.sum(-1, keepdim=True)  # (batch, samples, 1)
        passed = weights.cumsum(-1)
        kept = weights.masked_fill(passed - weights >= enough, 0.0) if self.top_p < 1 else weights
        drawn = ids.gather(-1, _place(kept, chance)[0].unsqueeze(-1)).squeeze(-1)
        return drawn, passed[..., -1] >= enough.squeeze(-1)

    def _tempered(self, scores: Logits, top: BeamScores, dtype: torch.dtype | None = None) -> Logits:
        """The scores from the best one down, so that no temperature makes them overflow."""
        finite = top.clamp(min=torch.finfo(top.dtype).min)  # filters may have left nothing
        return (scores - finite.unsqueeze(-1)).to(dtype or scores.dtype).div_(self.temperature)


def _place(
    weights: Float[Tensor, "batch samples places"], chance: Float[Tensor, "batch samples"]
) -> tuple[BeamIds, Float[Tensor, "batch samples"]]:
    """The place at which the distribution function passes `chance`, and the part of its own weight that is passed."""
    passed = weights.cumsum(-1)
    total = passed[..., -1]
    goal = torch.minimum(chance * total, total.nextafter(torch.zeros_like(total))).unsqueeze(-1)
    place = torch.searchsorted(passed, goal, right=True).clamp(max=passed.shape[-1] - 1)
    own = weights.gather(-1, place)
    part = (goal - passed.gather(-1, place) + own) / own
    return place.squeeze(-1), part.squeeze(-1).clamp(min=0.0)


def _place_by_blocks(scores: Logits, chance: Float[Tensor, "batch samples"]) -> BeamIds:
    """The token at which the distribution function of softmax(scores) passes `chance`: first its block, then itself."""
    blocks = _blocks(scores)
    block, part = _place(_block_sums(blocks), chance)
    own = blocks.gather(-2, block[..., None, None].expand(*block.shape, 1, blocks.shape[-1])).squeeze(-2)
    drawn = block * blocks.shape[-1] + _place(own.double().exp(), part)[0]
    return drawn.clamp(max=scores.shape[-1] - 1)  # where nothing has a weight, the last place may be behind the tokens


def _blocks(scores: Logits) -> Float[Tensor, "batch samples blocks block"]:
    """The scores in parts of one size, -inf behind the last."""
    if lacking := -scores.shape[-1] % _BLOCK:
        scores = functional.pad(scores, (0, lacking), value=float("-inf"))
    return scores.unflatten(-1, (-1, _BLOCK))


def _block_sums(blocks: Float[Tensor, "batch samples blocks block"]) -> Float[Tensor, "batch samples blocks"]:
    """The weights of blocks: so few terms lose nothing in single precision, which their sum over blocks would."""
    return blocks.exp().sum(-1).double()


def _whole_numbers(source: Source) -> Int[Tensor, "batch source"]:
    """Ids as they are, and of frames a number each, made of the bits of all of its values."""
    if not source.is_floating_point():
        return source
    bits = (source.float() + 0.0).view(torch.int32).long()  # of minus zero those of zero
    found = torch.zeros_like(bits[..., 0])
    for feature in bits.unbind(-1):
        found = mixed(found + feature)
    return found


def _uniform(numbers: Tensor) -> Float[Tensor, "batch samples"]:
    """The fractions, at least 0 and below 1, that 53 bits of each number make."""
    return (numbers & ((1 << 53) - 1)).double() * 2.0**-53
