"""Groups that keep away from each other."""

import pytest
import torch

from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import CoveragePenalty, GNMTRanking, SumRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.symbols import EOS

KINDS, LENGTHS = [2, 0, 1, 2, 5, 3], [3, 1, 2, 5, 1, 4]
LIMITS = {"max_ratio": 1.0, "max_extra": 2}
RANKINGS = {
    "sum": (SumRanking(), lambda score, steps: score),
    "gnmt": (GNMTRanking(alpha=1.0), lambda score, steps: score / ((5 + steps) / 6)),
}


def search_in(stepper, sources, search):
    return search(stepper, *sources(KINDS, LENGTHS), Request(n_best=search.width, attention=True))


@pytest.mark.parametrize(("width", "groups", "penalty"), [(4, 2, 0.5), (4, 2, 3.0), (6, 3, 1.0), (3, 3, 2.0)])
@pytest.mark.parametrize("ranking", RANKINGS)
def test_groups_are_those_of_plain_python(
    random_stepper, sources, space, plain_beam, assert_found, ranking, width, groups, penalty
):
    (searched, plain), limits = RANKINGS[ranking], LengthLimits(max_ratio=1.0, max_extra=6)
    search = DiverseBeamSearch(beam_size=width, groups=groups, penalty=penalty, ranking=searched, length=limits)
    for seed in (0, 1):
        stepper = random_stepper(seed)
        for own, kind, length in zip(search_in(stepper, sources, search), KINDS, LENGTHS, strict=True):
            wanted = plain_beam(space(stepper, length + 6), kind, width, plain, groups=groups, penalty=penalty)
            assert_found(own, wanted, width)


@pytest.mark.parametrize("filters", [{}, {"no_repeat_ngram": 1, "end_bias": 0.5}], ids=["", "filters"])
def test_one_group_is_a_beam(random_stepper, sources, assert_same, filters):
    options = {
        "beam_size": 4,
        "ranking": GNMTRanking(alpha=1.0),
        "coverage_penalty": CoveragePenalty(beta=0.4),
        "length": LengthLimits(**LIMITS),
        "filters": Filters(**filters),
    }
    diverse = search_in(random_stepper(1), sources, DiverseBeamSearch(groups=1, penalty=2.0, **options))
    for own, wanted in zip(diverse, search_in(random_stepper(1), sources, BeamSearch(**options)), strict=True):
        assert_same(own, wanted)


def test_without_a_penalty_every_group_finds_what_a_beam_of_its_size_finds(random_stepper, sources, assert_same):
    free = DiverseBeamSearch(beam_size=6, groups=3, penalty=0.0, length=LengthLimits(**LIMITS))
    beam = BeamSearch(beam_size=2, length=LengthLimits(**LIMITS))
    found, wanted = search_in(random_stepper(1), sources, free), search_in(random_stepper(1), sources, beam)
    for own, alone in zip(found, wanted, strict=True):
        assert_same(own, alone)


def test_a_penalty_finds_more_and_the_first_group_never_pays(random_stepper, sources):
    counts = []
    beam = search_in(random_stepper(1), sources, BeamSearch(beam_size=2, length=LengthLimits(**LIMITS)))
    for penalty in (0.0, 4.0):
        search = DiverseBeamSearch(beam_size=6, groups=3, penalty=penalty, length=LengthLimits(**LIMITS))
        found = search_in(random_stepper(1), sources, search)
        counts.append(sum(map(len, found)))
        for own, alone in zip(found, beam, strict=True):
            assert {tuple(one.ids) for one in alone} <= {tuple(one.ids) for one in own}
    assert counts[1] > 1.5 * counts[0]


# By prefix. In two groups of two, the first has [4] at 0.15 after two steps and nothing as good to come; but were it to
# stop there, the second would no longer pay for 5 at the third step and find [6, 4, 5] at 0.166.
CHANCES = {
    (): {4: 0.3, 5: 0.28, 6: 0.25, 7: 0.1},
    (4,): {EOS: 0.5},
    (5,): {7: 0.5, 1: 0.3},
    (6,): {4: 0.96},
    (7,): {1: 0.2, 4: 0.2, 5: 0.2, 6: 0.2, 7: 0.2},
    (5, 7): {5: 0.9},
    (5, 1): {5: 0.9},
    (6, 4): {5: 0.7, 6: 0.15, 7: 0.14},
    **{prefix: {EOS: 0.99} for prefix in ((6, 4, 5), (6, 4, 6), (6, 4, 7), (5, 7, 5), (5, 1, 5))},
}


def test_no_group_stops_earlier_because_less_is_asked_for(random_stepper, sources):
    stepper = random_stepper()
    for prefix, chances in CHANCES.items():
        rest = (1 - sum(chances.values())) / (8 - len(chances)) + 1e-9
        row = torch.tensor([chances.get(token, rest) for token in range(8)])
        stepper.table[0, stepper.context_of(prefix)] = row.log()
    search = DiverseBeamSearch(beam_size=4, groups=2, penalty=5.0)
    for n_best in (1, 2, 4):
        ((best, *_),) = search(stepper, *sources([0]), Request(n_best=n_best))
        assert best.ids == [4]
    free = DiverseBeamSearch(beam_size=4, groups=2, penalty=0.0)
    ((best, *_),) = free(stepper, *sources([0]))
    assert best.ids == [4]
    ((best, *_),) = BeamSearch(beam_size=4)(stepper, *sources([0]))
    assert best.ids == [6, 4, 5]
