"""Narrow beams: against plain Python, against greedy search, and what ends them."""

import random

import pytest
import torch

from seq2seq.decoding.filters import Filters, ForcedPrefix, Permitted, PermittedNext
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import (
    AverageRanking,
    CoveragePenalty,
    GNMTRanking,
    Ranking,
    SumRanking,
    WordRewardRanking,
)
from seq2seq.decoding.request import Request
from seq2seq.decoding.search import search as search_module
from seq2seq.decoding.search.beam import BeamSearch, best_continuations
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.decoding.table import Table
from seq2seq.symbols import BOS, EOS

KINDS, LENGTHS = [2, 0, 1, 2, 5, 3], [3, 1, 2, 5, 1, 4]
LIMITS = {"max_ratio": 1.0, "max_extra": 2}
RANKINGS = {
    "sum": (SumRanking(), lambda score, steps: score),
    "gnmt": (GNMTRanking(alpha=1.0), lambda score, steps: score / ((5 + steps) / 6)),
    "reward": (WordRewardRanking(reward=0.9), lambda score, steps: score + 0.9 * steps),
}
PREFIXES = [[4], [], [5, 6], [7, 7, 7, 7], [6], []]
FILTERS = {
    "none": {},
    "blocking": {"no_repeat_ngram": 1},
    "penalty": {"repetition_penalty": 2.0},
    "bias": {"end_bias": -2.0},
    "all": {"no_repeat_ngram": 2, "repetition_penalty": 0.6, "end_bias": 1.0},
}


@pytest.mark.parametrize("vocabulary", [7, 43, 400])
def test_of_equal_scores_a_beam_of_one_takes_what_greedy_search_takes(vocabulary):
    scores = torch.randn(500, 1, vocabulary, generator=torch.Generator().manual_seed(1)).round()  # as 8 bits can leave
    scores[..., EOS] = -9.0
    choice = best_continuations(scores, torch.zeros(500, 1), 1)
    assert torch.equal(choice.ids, scores.argmax(-1))
    assert torch.equal(choice.scores, scores.amax(-1))


def tied_table(seed: int, size: int = 12) -> Table:
    """Rows in which several tokens are the likeliest, EOS among them now and then."""
    draw = random.Random(seed)
    tokens = [EOS, *range(4, size)]
    rows = {token: draw.sample(tokens, draw.choice([2, 4, 5])) for token in (BOS, *tokens[1:])}
    return Table({token: dict.fromkeys(row, 1 / len(row)) for token, row in rows.items()})


@pytest.mark.parametrize("seed", range(30))
def test_of_tied_tokens_a_beam_of_one_writes_what_greedy_search_writes(seed):
    table, batch = tied_table(seed), (torch.tensor([[3, 3, 3, 3]] * 2), torch.tensor([4, 1]))
    found, expected = (search(table, *batch) for search in (BeamSearch(beam_size=1), GreedySearch()))
    assert [(one.ids, one.score, one.finished) for (one,) in found] == [
        (one.ids, one.score, one.finished) for (one,) in expected
    ]


@pytest.mark.parametrize(
    ("filters", "ranking", "patience"),
    [
        *(("none", ranking, patience) for ranking in RANKINGS for patience in (None, 0.5, 1.0, 2.0)),
        *((filters, "gnmt", 1.0) for filters in FILTERS if filters != "none"),
    ],
)
def test_a_narrow_beam_is_that_of_plain_python(
    random_stepper, sources, space, plain_beam, plain_filters, assert_found, filters, ranking, patience
):
    stepper, (searched, plain) = random_stepper(len(filters)), RANKINGS[ranking]
    edits = [plain_filters[name](value) for name, value in FILTERS[filters].items()]
    for width in (2, 4):
        search = BeamSearch(
            beam_size=width,
            patience=patience,
            ranking=searched,
            length=LengthLimits(**LIMITS),
            filters=Filters(**FILTERS[filters]),
        )
        found = search(stepper, *sources(KINDS, LENGTHS), Request(n_best=width))
        for own, kind, length in zip(found, KINDS, LENGTHS, strict=True):
            limit = float("inf") if patience is None else patience
            every = space(stepper, length + 2, edits=edits)
            assert_found(own, plain_beam(every, kind, width, plain, patience=limit), width)


@pytest.mark.parametrize("limits", [{}, {"minimum": 3}], ids=["", "minimum"])
@pytest.mark.parametrize("filters", FILTERS)
def test_a_beam_of_one_is_greedy_search(random_stepper, sources, filters, limits):
    options = {"length": LengthLimits(max_ratio=1.0, max_extra=3, **limits), "filters": Filters(**FILTERS[filters])}
    asked = [
        [],
        [ForcedPrefix(PREFIXES)],
        [Permitted([4, 6], 8)],
        [PermittedNext(lambda row, ids: {EOS, 4 + (row + len(ids)) % 4})],
    ]
    for more in asked:
        request, stepper, batch = Request(filters=more, attention=True), random_stepper(7), sources(KINDS, LENGTHS)
        greedy = GreedySearch(**options)(stepper, *batch, request)
        beam = BeamSearch(beam_size=1, ranking=GNMTRanking(alpha=2.0), **options)(stepper, *batch, request)
        for (one,), (other,) in zip(beam, greedy, strict=True):
            assert (one.ids, one.finished) == (other.ids, other.finished)
            assert one.score == pytest.approx(other.score, abs=1e-6)
            torch.testing.assert_close(one.attention, other.attention)


@pytest.mark.parametrize(
    ("ranking", "beta"),
    [
        (SumRanking(), 0.0),
        (SumRanking(), 0.5),
        (AverageRanking(), 0.0),
        (GNMTRanking(alpha=-1.0), 0.0),
        (GNMTRanking(alpha=2.0), 0.5),
        (WordRewardRanking(reward=0.2), 0.0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Ranking) else str(value),
)
@pytest.mark.parametrize("patience", [None, 1.0])
def test_stopping_by_the_bound_changes_nothing(
    random_stepper, sources, assert_same, monkeypatch, ranking, beta, patience
):
    search = BeamSearch(
        beam_size=4,
        patience=patience,
        ranking=ranking,
        coverage_penalty=CoveragePenalty(beta=beta),
        length=LengthLimits(max_ratio=1.0, max_extra=5),
    )
    stopped = {}
    for bounded in (True, False):
        if not bounded:
            monkeypatch.setattr(Ranking, "bound", lambda *_: torch.tensor(float("inf")).expand(1, 1))
        steppers = [random_stepper(9, sharpness=2.0) for _ in range(2)]
        found = [
            search(stepper, *sources(KINDS, LENGTHS), Request(n_best=n_best))
            for n_best, stepper in zip((1, 3), steppers, strict=True)
        ]
        stopped[bounded] = (found, sum(sum(stepper.rows) for stepper in steppers))
    for one, other in zip(stopped[True][0], stopped[False][0], strict=True):
        for own, wanted in zip(one, other, strict=True):
            assert_same(own, wanted)
    if patience is None and isinstance(ranking, SumRanking):  # the one that is sure to stop early here
        assert stopped[True][1] < stopped[False][1]


def test_a_filter_that_can_raise_scores_switches_the_bound_off(random_stepper, sources, space, assert_found):
    """With every token after the first one made likely, the best hypothesis is long, and the bound did not know."""
    stepper, search = random_stepper(2, vocabulary=6), BeamSearch(beam_size=128, length=LengthLimits(max_extra=2))

    class Raised(Permitted):
        changes_scores = True

        def __call__(self, scores, prefixes):
            return scores + 5.0 * (prefixes.position > 0)

    def raised(sentence, prefix, scores):
        return {token: score + 5.0 * bool(prefix) for token, score in scores.items()}

    found = search(stepper, *sources([0, 1, 2]), Request(filters=[Raised([], 6)]))
    for kind, own in enumerate(found):
        assert_found(own, space(stepper, 4, edits=[raised]).ranked(kind, 1, RANKINGS["sum"][1]), 1)


SEARCHES = {
    "greedy": lambda **options: GreedySearch(**options),
    "beam": lambda **options: BeamSearch(beam_size=4, ranking=GNMTRanking(alpha=1.0), **options),
    "coverage": lambda **options: BeamSearch(beam_size=4, coverage_penalty=CoveragePenalty(beta=0.3), **options),
    "diverse": lambda **options: DiverseBeamSearch(beam_size=6, groups=3, penalty=1.0, **options),
    "sampling": lambda **options: Sampling(samples=5, top_k=4, **options),
}


@pytest.fixture(params=SEARCHES)
def build_search(request):
    return SEARCHES[request.param]


def test_the_list_for_fewer_is_the_beginning_of_that_for_more(build_search, random_stepper, sources, assert_same):
    search = build_search(length=LengthLimits(**LIMITS))
    every = search(random_stepper(4), *sources(KINDS, LENGTHS), Request(n_best=search.width))
    assert max(map(len, every)) > search.width // 2  # groups can find the same
    for n_best in range(1, search.width, 2):
        found = search(random_stepper(4), *sources(KINDS, LENGTHS), Request(n_best=n_best))
        for fewer, more in zip(found, every, strict=True):
            assert_same(fewer, more[:n_best])


def test_lists_are_sorted_with_unfinished_ones_behind_and_distinct(build_search, random_stepper, sources):
    search = build_search(length=LengthLimits(**LIMITS))
    found = search(random_stepper(4), *sources(KINDS, LENGTHS), Request(n_best=search.width))
    ways = {tuple(sorted({hypothesis.finished for hypothesis in own})) for own in found}
    assert len(ways) > 1 or search.width == 1
    for own in found:
        keys = [(not hypothesis.finished, -hypothesis.rank_score) for hypothesis in own]
        assert keys == sorted(keys)
        assert isinstance(search, Sampling) or len({tuple(one.ids) for one in own}) == len(own)


def test_scores_of_tokens_are_the_table_s_and_add_up(build_search, random_stepper, sources):
    for filters in FILTERS.values():
        search, stepper = build_search(length=LengthLimits(**LIMITS), filters=Filters(**filters)), random_stepper(4)
        asked = Request(n_best=search.width, attention=True)
        for kind, length, own in zip(KINDS, LENGTHS, search(stepper, *sources(KINDS, LENGTHS), asked), strict=True):
            for hypothesis in own:
                said = [*hypothesis.ids, *([EOS] if hypothesis.finished else [])]
                assert hypothesis.token_scores == pytest.approx(stepper.token_scores(kind, said), abs=1e-5)
                assert hypothesis.score == pytest.approx(sum(hypothesis.token_scores), abs=1e-6)
                weights = stepper.weights(kind, hypothesis.ids, length)[: len(hypothesis.ids)]
                torch.testing.assert_close(hypothesis.attention, weights)


def test_attention_is_kept_only_if_asked_for(build_search, random_stepper, sources):
    ((hypothesis, *_),) = build_search()(random_stepper(), *sources([0]))
    assert hypothesis.attention is None


def test_looking_seldom_for_ended_sentences_changes_nothing(
    build_search, random_stepper, sources, assert_same, monkeypatch
):
    search = build_search(length=LengthLimits(**LIMITS), filters=Filters(no_repeat_ngram=1, end_bias=0.5))
    request = Request(n_best=search.width, attention=True)
    often = search(random_stepper(4), *sources(KINDS, LENGTHS), request)
    monkeypatch.setattr(search_module, "_LOOK_EVERY", {"cpu": 4})
    for seldom, wanted in zip(search(random_stepper(4), *sources(KINDS, LENGTHS), request), often, strict=True):
        assert_same(seldom, wanted)


def test_ended_sentences_leave_the_batch(build_search, ending_after, sources):
    counts, kinds = [1, 6, 20, 11], [2, 0, 1, 3, 0, 2, 1]
    stepper, search = ending_after(counts), build_search(length=LengthLimits(max_ratio=0.5, max_extra=14))
    search(stepper, *sources(kinds, [20, 1, 2, 3, 4, 5, 6]))
    assert stepper.rows == sorted(stepper.rows, reverse=True)
    assert stepper.rows[-1] < stepper.rows[0] == len(kinds)
    for step, seen in enumerate(stepper.kinds):
        assert {kind for kind in kinds if counts[kind] >= step} <= set(seen)


# Filters that leave nothing


def nothing_after(prefix_length: int, *sentences: int) -> PermittedNext:
    return PermittedNext(lambda row, ids: [] if row in sentences and len(ids) == prefix_length else None)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_what_cannot_go_on_is_unfinished_and_disturbs_no_neighbour(
    build_search, random_stepper, sources, assert_same, steps
):
    search, stepper = build_search(length=LengthLimits(minimum=3, max_extra=5)), random_stepper(4)
    asked = {"n_best": search.width, "attention": True}
    free = search(stepper, *sources(KINDS, LENGTHS), Request(**asked))
    found = search(stepper, *sources(KINDS, LENGTHS), Request(filters=[nothing_after(steps, 1, 4)], **asked))
    for sentence, (own, wanted) in enumerate(zip(found, free, strict=True)):
        if sentence not in (1, 4):
            assert_same(own, wanted)
            continue
        assert own
        for hypothesis in own:
            assert not hypothesis.finished
            assert len(hypothesis.ids) == steps
            assert hypothesis.attention.shape == (steps, LENGTHS[sentence])
            said = stepper.token_scores(KINDS[sentence], hypothesis.ids)
            assert hypothesis.token_scores == pytest.approx(said, abs=1e-5)
        assert [one.rank_score for one in own] == sorted((one.rank_score for one in own), reverse=True)


@pytest.mark.parametrize("steps", [1, 2])
def test_what_cannot_go_on_is_ranked_by_the_attention_of_its_own_tokens(random_stepper, sources, steps):
    stepper, length = random_stepper(4), 4
    search = BeamSearch(
        beam_size=3,
        coverage_penalty=CoveragePenalty(beta=0.5),
        ranking=AverageRanking(),
        length=LengthLimits(minimum=3, max_extra=5),
    )
    (found,) = search(stepper, *sources([0], [length]), Request(n_best=3, filters=[nothing_after(steps, 0)]))
    for hypothesis in found:
        seen = stepper.weights(0, hypothesis.ids, length)[:steps].sum(0).clamp(max=1.0)
        wanted = hypothesis.score / steps + 0.5 * seen.log().sum().item()
        assert hypothesis.rank_score == pytest.approx(wanted, abs=1e-5)


def test_what_has_ended_is_enough_for_a_beam_that_cannot_go_on(random_stepper, sources):
    search = BeamSearch(beam_size=8, length=LengthLimits(max_extra=6), patience=None)
    (found,) = search(random_stepper(4), *sources([0]), Request(n_best=8, filters=[nothing_after(2, 0)]))
    assert found
    assert all(hypothesis.finished and len(hypothesis.ids) < 2 for hypothesis in found)
