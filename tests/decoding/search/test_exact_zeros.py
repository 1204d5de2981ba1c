"""Models that give tokens no probability at all."""

import math

import pytest
import torch

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.decoding.table import Table

ENDS_AT_ONCE = {2: {4: 1.0}, 4: {3: 1.0}}  # all to 4, then all to EOS
SEARCHES = {
    "greedy": GreedySearch,
    "beam": lambda **options: BeamSearch(beam_size=3, **options),
    "diverse": lambda **options: DiverseBeamSearch(beam_size=4, groups=2, **options),
    "sampling": lambda **options: Sampling(samples=3, **options),
}


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("minimum", [0, 1])
def test_the_one_possible_target_is_found_alone(kind, minimum):
    search = SEARCHES[kind](length=LengthLimits(minimum=minimum))
    (found,) = search(Table(ENDS_AT_ONCE), torch.tensor([[3]]), torch.tensor([1]), Request(n_best=search.width))
    assert {(tuple(own.ids), own.finished, own.score) for own in found} == {((4,), True, 0.0)}


@pytest.mark.parametrize("kind", SEARCHES)
def test_what_may_not_end_yet_and_can_say_nothing_else_is_left_as_it_stands(kind):
    """No token without probability is made up to reach the least length."""
    search = SEARCHES[kind](length=LengthLimits(minimum=3))
    source, lengths = torch.tensor([[3], [3]]), torch.tensor([1, 1])
    for found in search(Table(ENDS_AT_ONCE), source, lengths, Request(n_best=search.width)):
        assert {(tuple(own.ids), own.finished) for own in found} == {((4,), False)}
        assert all(math.isfinite(own.score) for own in found)
