"""Every option changes something, and every value that makes no sense is told."""

from functools import partial

import pytest
import torch

from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import AverageRanking, CoveragePenalty, GNMTRanking, WordRewardRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.errors import UserError

KINDS, LENGTHS = [2, 0, 1, 2, 5, 3], [3, 1, 2, 5, 1, 4]


@pytest.mark.parametrize(
    ("build", "changed"),
    [
        (GreedySearch, {"length": LengthLimits(max_extra=1)}),
        (GreedySearch, {"filters": Filters(no_repeat_ngram=1)}),
        (BeamSearch, {"beam_size": 2}),
        (BeamSearch, {"patience": 0.2}),
        (partial(BeamSearch, ranking=WordRewardRanking(reward=2.0)), {"patience": None}),
        (BeamSearch, {"ranking": GNMTRanking(alpha=1.0)}),
        (BeamSearch, {"coverage_penalty": CoveragePenalty(beta=1.0)}),
        (BeamSearch, {"length": LengthLimits(max_ratio=0.0, max_extra=1)}),
        (BeamSearch, {"filters": Filters(no_repeat_ngram=1)}),
        (DiverseBeamSearch, {"beam_size": 3}),
        (DiverseBeamSearch, {"groups": 2}),
        (DiverseBeamSearch, {"penalty": 5.0}),
        (DiverseBeamSearch, {"ranking": WordRewardRanking(reward=2.0)}),
        (DiverseBeamSearch, {"coverage_penalty": CoveragePenalty(beta=1.0)}),
        (DiverseBeamSearch, {"length": LengthLimits(max_ratio=0.0, max_extra=1)}),
        (DiverseBeamSearch, {"filters": Filters(no_repeat_ngram=1)}),
        (Sampling, {"samples": 2}),
        (Sampling, {"temperature": 3.0}),
        (Sampling, {"top_k": 2}),
        (Sampling, {"top_p": 0.3}),
        (Sampling, {"seed": 2}),
        (Sampling, {"length": LengthLimits(max_ratio=0.0, max_extra=1)}),
        (Sampling, {"filters": Filters(no_repeat_ngram=1)}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else getattr(value, "func", value).__name__,
)
def test_every_option_of_a_search_changes_what_it_finds(random_stepper, sources, build, changed):
    def found(**options):
        options = {"length": LengthLimits(max_ratio=1.0, max_extra=5)} | options
        search = build(**options)
        lists = search(random_stepper(1), *sources(KINDS, LENGTHS), Request(n_best=search.width))
        return [[(one.ids, one.finished, one.rank_score) for one in own] for own in lists]

    assert found(**changed) != found()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"max_ratio": 0.5}, {}),
        ({"max_extra": 2}, {}),
        ({"maximum": 4}, {}),
        ({"min_ratio": 2.0}, {}),
        ({"minimum": 7}, {}),
        ({"min_ratio": 1.5, "minimum": 7}, {"minimum": 7}),
        ({"min_ratio": 1.5, "minimum": 7}, {"min_ratio": 1.5}),
    ],
)
def test_every_limit_of_length_changes_one(one, other):
    def limits(options):
        built, lengths = LengthLimits(**options), torch.tensor([1, 3, 9])
        return built.max_length(lengths).tolist(), built.min_length(lengths).tolist()

    assert limits(one) != limits(other)


def test_limits_of_length_are_those_of_plain_python():
    lengths = torch.arange(1, 40)
    for ratio, extra, maximum, min_ratio, minimum in (
        (2.0, 20, None, 0.0, 0),
        (1.5, 1, 30, 0.7, 3),
        (0.0, 5, 9, 9.0, 1),
    ):
        limits = LengthLimits(max_ratio=ratio, max_extra=extra, maximum=maximum, min_ratio=min_ratio, minimum=minimum)
        most = [min(int(ratio * length) + extra, maximum or 10**9) for length in range(1, 40)]
        least = [
            min(max(int(torch.tensor(length) * min_ratio), minimum), longest - 1)
            for length, longest in zip(range(1, 40), most, strict=True)
        ]
        assert limits.max_length(lengths).tolist() == most
        assert limits.min_length(lengths).tolist() == least


def test_the_largest_limits_are_limits_of_long_sources_too():
    lengths = torch.tensor([1, 10**9])
    largest = LengthLimits(max_ratio=1e6, max_extra=10**9, min_ratio=1e6)
    assert (largest.max_length(lengths) >= 10**9).all()
    assert (largest.min_length(lengths) >= 10**6).all()


@pytest.mark.parametrize(
    "ranking", [AverageRanking(), GNMTRanking(alpha=0.6), GNMTRanking(alpha=-1.0), WordRewardRanking(reward=-0.5)]
)
def test_nothing_that_a_hypothesis_can_become_is_above_the_bound(ranking):
    scores = -5 * torch.rand(50)
    bound = ranking.bound(scores, 3, 9)
    for length in range(3, 10):
        assert (ranking(scores - torch.rand(50), length) <= bound).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BeamSearch(beam_size=0), "beam_size must be at least 1, but is 0."),
        (
            lambda: BeamSearch(patience=0.0),
            "patience must be above 0, or null for no such limit, but is 0.0.",
        ),
        *(
            (
                lambda size=size, groups=groups: DiverseBeamSearch(beam_size=size, groups=groups),
                f"beam_size must be a multiple of groups, both at least 1, but they are {size} and {groups}.",
            )
            for size, groups in ((5, 2), (0, 1), (4, 0), (2, 4))
        ),
        (lambda: DiverseBeamSearch(penalty=-0.5), "penalty must be at least 0, but is -0.5."),
        (lambda: Sampling(samples=0), "samples must be at least 1, but is 0."),
        (
            lambda: Sampling(temperature=0.0),
            "temperature must be above 0, but is 0.0: for the limit, search greedily.",
        ),
        (lambda: Sampling(top_k=-1), "top_k must be at least 0 (0: all tokens), but is -1."),
        (lambda: Sampling(top_p=0.0), "top_p must be above 0 and at most 1, but is 0.0."),
        (lambda: Sampling(top_p=1.5), "top_p must be above 0 and at most 1, but is 1.5."),
        (lambda: Sampling(seed=1 << 63), "seed must be a whole number of at most 63 bits, but is 9223372036854775808."),
        (lambda: CoveragePenalty(beta=-1.0), "beta must be at least 0, but is -1.0."),
        (lambda: CoveragePenalty(beta=1e7), "beta must be at most 1000 (usual: 0 to 1), but is 10000000.0."),
        *(
            (
                lambda alpha=alpha: GNMTRanking(alpha=alpha),
                f"alpha must be between -2 and 10 (usual: 0 to 1), but is {alpha}.",
            )
            for alpha in (-2.5, 1000.0, 1e4)
        ),
        (
            lambda: WordRewardRanking(reward=-1e7),
            "reward must be between -1000 and 1000 nats per token, but is -10000000.0.",
        ),
        *(
            (
                lambda name=name, bound=bound: LengthLimits(**{name: bound}),
                f"{name} must be at most {most}, but is {bound}: no answer is so long.",
            )
            for name, bound, most in (
                ("max_ratio", 1e19, "1,000,000"),
                ("min_ratio", 1e19, "1,000,000"),
                ("max_extra", 2**63 - 1, "1,000,000,000"),
                ("maximum", 2**70, "1,000,000,000"),
                ("minimum", 2**70, "1,000,000,000"),
            )
        ),
        (lambda: LengthLimits(max_ratio=-1.0), "max_ratio must be at least 0, but is -1.0."),
        (lambda: LengthLimits(min_ratio=-0.1), "min_ratio must be at least 0, but is -0.1."),
        (lambda: LengthLimits(minimum=-1), "minimum must be at least 0, but is -1."),
        (lambda: LengthLimits(max_extra=0), "max_extra must be at least 1, but is 0."),
        (lambda: LengthLimits(maximum=0), "maximum must be at least 1, but is 0."),
        (
            lambda: LengthLimits(minimum=7, maximum=7),
            "minimum must be below maximum, since EOS counts in the latter, but they are 7 and 7.",
        ),
        (
            lambda: Filters(no_repeat_ngram=-1),
            "no_repeat_ngram must be at least 0 (0: off), but is -1.",
        ),
        (
            lambda: Filters(repetition_penalty=0.0),
            "repetition_penalty must be above 0 (1: off, more: fewer repetitions), but is 0.0.",
        ),
    ],
)
def test_what_makes_no_sense_is_told(build, message):
    with pytest.raises(UserError) as error:
        build()
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("search", "n_best", "most"),
    [
        (GreedySearch(), 2, 1),
        (BeamSearch(beam_size=4), 5, 4),
        (BeamSearch(beam_size=4), 0, 4),
        (Sampling(samples=3), 4, 3),
        (DiverseBeamSearch(beam_size=6), 7, 6),
    ],
)
def test_more_hypotheses_than_there_are_is_told(random_stepper, sources, search, n_best, most):
    with pytest.raises(UserError) as error:
        search(random_stepper(), *sources([0]), Request(n_best=n_best))
    assert str(error.value) == (
        f"n_best must be between 1 and {most}, all that this search finds, but is {n_best}: "
        "search with a wider beam, or draw more samples."
    )


@pytest.mark.parametrize(
    "search", [GreedySearch(), Sampling(), DiverseBeamSearch()], ids=lambda own: type(own).__name__
)
def test_phrases_without_a_beam_are_told(random_stepper, sources, search):
    with pytest.raises(UserError) as error:
        search(random_stepper(), *sources([0]), Request(phrases=[[[4]]]))
    assert str(error.value) == "Constraints need beam search: no other search can hold to phrases."
