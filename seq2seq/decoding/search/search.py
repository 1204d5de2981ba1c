"""The loop over time that all searches share."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Generic, TypeVar, cast

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional
from torch.utils import _pytree as pytree

from seq2seq.decoding.filters import Filter, Filters, ForcedPrefix, KnownAlone, Prefixes
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import CoveragePenalty, Ranking, SumRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.back_pointers import BackPointers
from seq2seq.decoding.search.finished import Finished
from seq2seq.decoding.search.frontier import Frontier, NextTokens, Selection, Slots, may_be_any
from seq2seq.decoding.stepper import Memory, States, Stepper, reorder, says_unknown, select
from seq2seq.errors import UserError
from seq2seq.shapes import BeamScores, BeamWeights, Lengths, Logits, Source
from seq2seq.symbols import EOS, UNSAID

# Steps between looks at which sentences are done. On a CPU a look is free; elsewhere it waits for the device.
_LOOK_EVERY = {"cpu": 1}
_LOOK_EVERY_ELSEWHERE = 4
# Done sentences leave the batch when they are this share of it, or when what stays is its beginning and needs no copy.
_WORTH_A_COPY = 1 / 8
_NONE = float("-inf")

Context = TypeVar("Context")


class Search(ABC, Generic[Context]):
    """A search over next tokens, in the loop below. What it finds for a sentence depends on that sentence alone.

    1. The stepper scores the next tokens of every hypothesis; filters edit the scores.
    2. `choose` says which hypotheses go on and which end; tokens are noted, with pointers to the step before.
    3. Hypotheses that end are ranked and kept among the finished; those cut at their limit of length stand behind.
    4. A sentence is closed once enough have ended, or none that is left can come among its best.
    5. States follow the hypotheses that go on, closed sentences leave the batch, and the loop begins again at 1.
    6. Once all are closed, each finished hypothesis is read along the pointers, from its end to its beginning.
    """

    width: int = 1  # hypotheses of a sentence
    groups: int = 1  # parts of the beam, each of which comes to its own end
    patience: float = 1.0  # ended hypotheses that are enough, as a multiple of a group's width
    distinct: bool = True  # whether of equal hypotheses only one is kept

    def __init__(
        self,
        *,
        length: LengthLimits | None = None,
        filters: Filters | None = None,
        ranking: Ranking | None = None,
        coverage_penalty: CoveragePenalty | None = None,
    ) -> None:
        self.length = length or LengthLimits()
        self.filters = filters or Filters()
        self.ranking = ranking or SumRanking()
        self.coverage_penalty = coverage_penalty or CoveragePenalty()

    @abstractmethod
    def choose(self, following: NextTokens, frontier: Frontier, context: Context) -> Selection:
        """The hypotheses that go on, and those that end."""

    def lacking(self, frontier: Frontier, context: Context) -> Slots | int:
        """The number of tokens that each hypothesis lacks; of those cut, the ones that lack fewer stand before."""
        return 0

    def prepare(self, source: Source, lengths: Lengths, request: Request) -> Context:
        """The context of `choose` in one search. Raises UserError at a request that this search cannot answer."""
        if request.phrases is not None:
            raise UserError("Constraints need beam search: no other search can hold to phrases.")
        return cast(Context, None)  # what needs no context is a Search[None]

    @torch.inference_mode()
    def __call__(
        self, stepper: Stepper[Memory, States], source: Source, lengths: Lengths, request: Request | None = None
    ) -> list[list[Hypothesis]]:
        """The `n_best` hypotheses of every sentence, best first; fewer where there are no more."""
        request = self._completed(request or Request(), stepper)
        context = self.prepare(source, lengths, request)
        memory, states = stepper.start(source, lengths)
        frontier, pointers = self._first(source, lengths), BackPointers(len(source), attention=request.attention)
        finished, shortest = frontier.finished, int(frontier.max_length.min())
        may_close = bool(request.filters or request.phrases or self.length.forces)  # which can leave nothing to go on
        look_every = _LOOK_EVERY.get(source.device.type, _LOOK_EVERY_ELSEWHERE)
        for position in range(int(frontier.max_length.max())):
            logits, weights, states = stepper.step(frontier.ids, memory, states)
            frontier, choice = self._step(frontier, logits.float(), weights, position, request, context, pointers)
            if position + 1 >= shortest:
                frontier = self._cut(frontier, position + 1, context)
            may_close = may_close or choice.may_end or position + 1 >= shortest
            if may_close:
                frontier = self._close(frontier, position + 1, request)
            if not choice.stayed:
                states = reorder(states, choice.parents)
            if may_close and (position + 1) % look_every == 0 and may_be_any(frontier.done):
                left = (~frontier.done).nonzero().squeeze(1)
                if len(left) == 0:
                    break
                if _should_leave(left, len(frontier.done)):
                    finished = _write_back(frontier, finished)
                    frontier, memory, states = select((frontier, memory, states), left)
        return self._hypotheses(_write_back(frontier, finished), pointers, lengths, request.n_best)

    def _completed(self, request: Request, stepper: Stepper[Memory, States]) -> Request:
        """The request with the filters of the search and of what it steps. Raises UserError where it asks for more."""
        if not 1 <= request.n_best <= self.width:
            raise UserError(
                f"n_best must be between 1 and {self.width}, all that this search finds, but is {request.n_best}: "
                "search with a wider beam, or draw more samples."
            )
        own = [] if says_unknown(stepper) else [KnownAlone()]
        every = [*self.filters.active, *request.filters, *own]
        return replace(request, filters=sorted(every, key=lambda edit: isinstance(edit, ForcedPrefix)))

    def _first(self, source: Source, lengths: Lengths) -> Frontier:
        scores = torch.zeros(len(source), 1, device=source.device)
        coverage = scores.new_zeros(len(source), 1, source.shape[1] if self.coverage_penalty.beta else 0)
        finished = Finished.empty(len(source), self.groups, self.width // self.groups, scores)
        return Frontier.start(
            lengths, self.length.min_length(lengths), self.length.max_length(lengths), finished, coverage
        )

    def _step(
        self,
        frontier: Frontier,
        logits: Logits,
        weights: BeamWeights,
        position: int,
        request: Request,
        context: Context,
        pointers: BackPointers,
    ) -> tuple[Frontier, Selection]:
        """The frontier one token on, with those that end among its finished, and the choice that led there."""
        following = _following(logits, frontier, position, request.filters, forces=self.length.forces)
        choice = self.choose(following, frontier, context)
        gained = following.log_probabilities(choice.parents, choice.ids)
        pointers.append(frontier.sentences, choice.ids, choice.parents, gained, weights)
        attended = frontier
        if self.coverage_penalty.beta:
            attended = frontier._replace(coverage=frontier.coverage + weights)
        finished = frontier.finished
        if choice.may_end:
            finished = finished.add_ended(
                self._rank(attended, choice.ended_scores, choice.ended, position + 1),
                choice.ended,
                following.log_probabilities(choice.ended, torch.full_like(choice.ended, EOS)),
                position,
            )
        if request.filters or self.length.forces:  # nothing else can leave a hypothesis without any token to choose
            finished = self._keep_stuck(frontier, choice, finished, position)
        remember = bool(request.filters) or request.phrases is not None
        return attended.advance(choice, finished, remember=remember), choice

    def _keep_stuck(self, frontier: Frontier, choice: Selection, finished: Finished, position: int) -> Finished:
        """The finished, and what cannot go on as it stands: any sample, but a beam only if it found nothing else."""
        ranks = self._rank(frontier, frontier.scores, None, max(position, 1))
        stuck = choice.scores == _NONE
        if self.distinct:
            # (batch, 1) & (batch, 1) = (batch, 1): all hypotheses of a sentence, or none
            stuck = stuck.all(1, keepdim=True) & (finished.ranks == _NONE).flatten(1).all(1, keepdim=True)
        else:
            stuck, ranks = stuck & (choice.ended_scores == _NONE), ranks.gather(1, choice.parents)
        ranks = ranks.masked_fill(~stuck, _NONE)
        empty = (0, self.width - ranks.shape[1])  # before the first token there is one hypothesis alone
        return finished.add_unfinished(functional.pad(ranks, empty, value=_NONE), position)

    def _rank(self, frontier: Frontier, scores: BeamScores, slots: Slots | None, length: int) -> BeamScores:
        """The ranks of hypotheses that are `length` tokens long and come from the given slots, or each from its own."""
        ranks = self.ranking(scores, length)
        if not self.coverage_penalty.beta:
            return ranks
        penalty = self.coverage_penalty(frontier.coverage, frontier.lengths)
        return ranks + (penalty if slots is None else penalty.gather(1, slots))

    def _cut(self, frontier: Frontier, length: int, context: Context) -> Frontier:
        """The frontier without hypotheses at their limit of length, which are among its finished."""
        cut = (frontier.max_length <= length).unsqueeze(1)
        ranks = self._rank(frontier, frontier.scores, None, length).masked_fill(~cut, _NONE)
        finished = frontier.finished.add_unfinished(ranks, length, self.lacking(frontier, context))
        return frontier._replace(scores=frontier.scores.masked_fill(cut, _NONE), finished=finished)

    def _close(self, frontier: Frontier, length: int, request: Request) -> Frontier:
        """The frontier without hypotheses that can no longer change the result; sentences without any are done."""
        grouped = frontier.scores.unflatten(1, (self.groups, -1))  # (batch, beam) -> (batch, group, beam / groups)
        ranks = frontier.finished.ranks  # (batch, group, place), best first
        places = ranks.shape[2]
        # What a group chooses hangs on the groups before: none of them may stop earlier because less is asked for.
        enough = min(request.n_best, places) if self.groups == 1 else places
        best = grouped.amax(-1)
        done = (frontier.finished.ended >= self.patience * places) | (best == _NONE)
        if not any(edit.changes_scores for edit in request.filters):  # else a further token could raise a score
            best = self.ranking.bound(best, length + 1, frontier.max_length.unsqueeze(1))
            done = done | (ranks[..., enough - 1] >= best)
        scores = grouped.masked_fill(done.unsqueeze(-1), _NONE).flatten(1)
        return frontier._replace(scores=scores, done=done.all(1))

    def _hypotheses(
        self, finished: Finished, pointers: BackPointers, lengths: Lengths, n_best: int
    ) -> list[list[Hypothesis]]:
        """The hypotheses of every sentence, read back from their ends. Groups of a beam can find the same one."""
        finished = finished.sorted(n_best if self.groups == 1 else self.width)
        ids, scores, attention = pointers.walk(finished.steps, finished.slots)
        found = [[] for _ in lengths]  # type: list[list[Hypothesis]]
        ends = (finished.steps, finished.complete, finished.end_scores, finished.ranks, finished.rank_scores)
        columns, widths = (ids, scores, *ends), lengths.tolist()
        for sentence, rows in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            for place, (own, gained, steps, complete, end, rank, rank_score) in enumerate(zip(*rows, strict=True)):
                if rank == _NONE or len(found[sentence]) == n_best:
                    break
                gained = [*gained[:steps], end] if complete else gained[:steps]
                looked = None if attention is None else attention[sentence, place, :steps, : widths[sentence]]
                hypothesis = Hypothesis(own[:steps], sum(gained, 0.0), complete, rank_score, gained, looked)
                if not self.distinct or all(hypothesis.ids != other.ids for other in found[sentence]):
                    found[sentence].append(hypothesis)
        return found


def _following(logits: Logits, frontier: Frontier, position: int, filters: list[Filter], *, forces: bool) -> NextTokens:
    """The tokens that the search may choose from, by the scores that filters make of the model's."""
    own = logits.log_softmax(-1)
    scores = own.clone() if filters else own
    scores[..., UNSAID] = _NONE
    if forces and may_be_any(too_short := position < frontier.min_length):
        scores[..., EOS].masked_fill_(too_short.unsqueeze(1), _NONE)  # (batch, beam) by (batch, 1)
    if filters:
        prefixes = Prefixes(frontier.prefixes, frontier.sentences, frontier.scores > _NONE, own)
        for edit in filters:
            scores = edit(scores, prefixes)
    return NextTokens(scores, frontier.scores, own, position)


def _should_leave(left: Int[Tensor, " rows"], batch: int) -> bool:
    gone = batch - len(left)
    return gone > 0 and (gone >= batch * _WORTH_A_COPY or int(left[-1]) == len(left) - 1)


def _write_back(frontier: Frontier, finished: Finished) -> Finished:
    """The finished hypotheses of all sentences, those of the frontier as they are now."""
    return pytree.tree_map(lambda every, own: every.index_copy(0, frontier.sentences, own), finished, frontier.finished)
