"""Beam search: the best few hypotheses at every step."""

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq.decoding.constraints import Phrases, round_robin
from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import CoveragePenalty, Ranking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.frontier import Frontier, NextTokens, Selection, Slots
from seq2seq.decoding.search.search import Search
from seq2seq.errors import UserError, check_finite
from seq2seq.shapes import BeamScores, Lengths, Logits, Source
from seq2seq.symbols import EOS, PAD

_NONE = float("-inf")


class BeamSearch(Search[Phrases | None]):
    """Beam search over `beam_size` hypotheses (Graves 2012, Sutskever et al. 2014).

    A hypothesis ends when EOS is among the `beam_size` best continuations of all. The search of a sentence stops
    when `patience` * `beam_size` have ended (Kasai et al. 2022; null: never), when none that is left can still
    come among the n best, or at the limit of length; what has not ended by then stands behind all that have.
    Raises UserError if an option is out of range.

    >>> import torch
    >>> from seq2seq.decoding.search.beam import BeamSearch
    >>> from seq2seq.decoding.table import Table
    >>> table = Table({2: {4: 0.6, 5: 0.4}, 4: {3: 0.5, 6: 0.3, 7: 0.2}})  # 2 is BOS, 3 is EOS; 5 is the last token
    >>> for beam_size in (1, 2):
    ...     ((found,),) = BeamSearch(beam_size=beam_size)(table, torch.tensor([[3]]), torch.tensor([1]))
    ...     print(beam_size, found.ids, round(found.score, 2))
    1 [4] -1.2
    2 [5] -0.92
    """

    def __init__(
        self,
        *,
        beam_size: int = 5,
        patience: float | None = 1.0,
        ranking: Ranking | None = None,
        coverage_penalty: CoveragePenalty | None = None,
        length: LengthLimits | None = None,
        filters: Filters | None = None,
    ) -> None:
        check_finite(patience=patience)
        super().__init__(length=length, filters=filters, ranking=ranking, coverage_penalty=coverage_penalty)
        if beam_size < 1:
            raise UserError(f"beam_size must be at least 1, but is {beam_size}.")
        if patience is not None and patience <= 0:
            raise UserError(f"patience must be above 0, or null for no such limit, but is {patience}.")
        self.width = beam_size
        self.patience = float("inf") if patience is None else patience

    def prepare(self, source: Source, lengths: Lengths, request: Request) -> Phrases | None:
        return None if request.phrases is None else Phrases(request.phrases, source.device)

    def lacking(self, frontier: Frontier, context: Phrases | None) -> Slots | int:
        if context is None:
            return 0
        phrases = context.of(frontier.sentences)
        return phrases.total.unsqueeze(1) - phrases.progress(frontier.prefixes)

    def choose(self, following: NextTokens, frontier: Frontier, context: Phrases | None) -> Selection:
        if context is None:
            return best_continuations(following.scores, following.totals, self.width)
        return _within_phrases(following, frontier, context.of(frontier.sentences), self.width)


def best_continuations(scores: Logits, totals: BeamScores, width: int) -> Selection:
    """The choice of the `width` best continuations that do not end, and of those that end among the `width` best.

    Scores are `batch beam vocabulary`, totals `batch beam`.
    """
    # Of one hypothesis's continuations, at most `width` and EOS can be among them: a small sort in two stages.
    values, ids = _likeliest(scores, width)
    # (batch, beam, tokens) + (batch, beam, 1) = (batch, beam, tokens) -> (batch, beam tokens)
    values = (values + totals.unsqueeze(-1)).flatten(1)
    best, places = _best(values, width)  # (batch, 2 width); place = slot * tokens + token
    return _split(best, places // ids.shape[2], ids.flatten(1).gather(1, places), width)


def _likeliest(scores: Logits, width: int) -> tuple[Tensor, Tensor]:
    """The `width` + 1 best scores of each hypothesis, best first, and their tokens."""
    values, ids = scores.topk(min(width + 1, scores.shape[2]), -1)
    if width == 1:  # the first of equals, as greedy search takes it; topk gives any
        first = scores.argmax(-1, keepdim=True)
        ids = torch.where(ids == first, ids[..., :1], ids)
        ids[..., :1] = first
    return values, ids


def _best(values: BeamScores, width: int) -> tuple[Tensor, Tensor]:
    """The `2 width` best values, best first, and their places; in a beam of one stable: the first of equals.

    So a beam of one takes what greedy search does; products of 8 bits have many equal scores. Of wider beams topk,
    which is quicker, gives any of equals.
    """
    if width == 1:
        values, places = values.sort(stable=True, descending=True)
        return values[:, :2], places[:, :2]
    best = values.topk(min(2 * width, values.shape[1]))
    return best.values, best.indices


def _split(best: BeamScores, parents: Tensor, ids: Tensor, width: int) -> Selection:
    """The choice among continuations, best first: of the first `width` those that end, of all `width` others."""
    ends = ids == EOS
    ended = best[:, :width].masked_fill(~ends[:, :width], _NONE)
    going = ends.to(torch.uint8).argsort(dim=1, stable=True)[:, :width]
    scores = best.masked_fill(ends, _NONE).gather(1, going)
    ids, own = ids.gather(1, going), parents.gather(1, going)
    lacking = (0, width - scores.shape[1])  # every slot of the beam is there, if empty
    return Selection(
        functional.pad(own, lacking),
        functional.pad(ids, lacking, value=PAD),
        functional.pad(scores, lacking, value=_NONE),
        parents[:, :width],
        ended,
    )


def _within_phrases(following: NextTokens, frontier: Frontier, phrases: Phrases, width: int) -> Selection:
    """The best continuations of every stage of holding the phrases, by dynamic beam allocation (Post & Vilar 2018).

    Beside the best tokens of every hypothesis, those that continue a phrase are candidates.
    """
    prefixes = frontier.prefixes
    complete = phrases.progress(prefixes) == phrases.total.unsqueeze(1)
    scores = following.scores
    scores[..., EOS].masked_fill_(~complete, _NONE)
    _, likely = _likeliest(scores, width)
    wanted = phrases.next_tokens(prefixes)
    ids = torch.cat([likely, wanted], -1)
    values = scores.gather(-1, ids) + following.totals.unsqueeze(-1)
    # (batch, beam, tokens, 1) == (batch, beam, 1, tokens): each token beside those before it in its hypothesis.
    # A wanted token that is a likely one already must not come twice; nor two phrases' common one.
    twice = (ids.unsqueeze(-1) == ids.unsqueeze(-2)).tril(-1).any(-1)
    values = values.masked_fill(twice, _NONE).flatten(1)
    parents = torch.arange(ids.shape[1], device=ids.device).repeat_interleave(ids.shape[2]).expand(values.shape)
    ids = ids.flatten(1)
    longer = prefixes.gather(1, parents.unsqueeze(-1).expand(-1, -1, prefixes.shape[2]))
    stage = phrases.progress(torch.cat([longer, ids.unsqueeze(-1)], -1))
    order = round_robin(values, stage)
    # What has too few tokens left for the rest of its phrases and its end stands behind what has enough.
    room = (frontier.max_length - following.position - 1).unsqueeze(1)
    total = phrases.total.unsqueeze(1)
    late = (total > 0) & (total - stage + (ids != EOS) > room) | (values == _NONE)
    order = order.gather(1, late.gather(1, order).to(torch.uint8).argsort(dim=1, stable=True))[:, : 2 * width]
    values, parents, ids = (column.gather(1, order) for column in (values, parents, ids))
    return _split(values, parents, ids, width)
