"""Pairs as streams: rows go on from batch to batch, and a plan is a function of seed and epoch."""

import pytest
import torch

from seq2seq.data.batch import PairSequences
from seq2seq.data.batching import TokenBudget
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.streams import StreamOptions, Streams, stream_count, stream_rows
from seq2seq.errors import UserError


def pairs(count, owners=None) -> PairSequences:
    """Pair i has i as its only source token, behind those that are reserved."""
    sides = [TokenSequences.from_ids([[10 + number] for number in range(count)]) for _ in range(2)]
    return PairSequences(*sides, owners=None if owners is None else torch.tensor(owners))


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 9])
def test_every_place_comes_once_and_the_longest_rows_come_first(rows):
    batches = stream_rows(7, rows)
    assert sorted(place for batch in batches for place in batch) == list(range(7))
    assert all(len(one) >= len(two) for one, two in zip(batches, batches[1:], strict=False))
    for one, two in zip(batches, batches[1:], strict=False):
        assert (two == one[: len(two)] + 1).all()


def test_nothing_is_cut_into_nothing():
    assert stream_rows(0, 3) == []


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("rows", [1, 3, 4])
def test_a_row_goes_on_with_the_next_line_unless_it_is_fresh(rows, rate):
    owners = [0, 1, 2, 4, 5, 6, 7, 8, 10, 11]  # lines 3 and 9 were left out
    streams = Streams(pairs(10, owners), rows)
    for epoch in range(5):
        found, batches = streams.epoch(epoch, 1, rate)
        assert sorted(torch.cat(batches).tolist()) == list(range(10))
        assert found.fresh[batches[0]].all()
        for one, two in zip(batches, batches[1:], strict=False):
            for before, after in zip(one[: len(two)].tolist(), two.tolist(), strict=True):
                assert bool(found.fresh[after]) or owners[after] == owners[before] + 1
        if rate == 0:
            assert int(found.fresh.sum()) <= rows + 3  # rows, streams, and where the first was cut in two


def test_an_epoch_is_a_function_of_seed_and_number():
    def drawn(epoch, seed):
        found, batches = Streams(pairs(40), 4).epoch(epoch, seed, 0.3)
        return [*found.fresh.tolist(), *torch.cat(batches).tolist()]

    assert drawn(1, 1) == drawn(1, 1)
    assert drawn(1, 1) != drawn(2, 1)
    assert drawn(1, 1) != drawn(1, 2)


def test_lines_are_read_from_nothing_as_often_as_is_wanted():
    found, batches = Streams(pairs(4000), 4).epoch(0, 1, 0.2)
    assert abs(float(found.fresh.float().mean()) - 0.2) < 0.03
    assert Streams(pairs(40), 4).epoch(0, 1, 1.0)[0].fresh.all()


def test_dev_is_read_as_it_is():
    found, batches = Streams(pairs(6, [0, 1, 2, 4, 5, 6]), 2).in_order()
    assert [batch.tolist() for batch in batches] == [[0, 3], [1, 4], [2, 5]]
    assert found.fresh.tolist() == [True, False, False, True, False, False]


def test_a_batch_tells_which_rows_are_fresh():
    found, batches = Streams(pairs(6), 2).in_order()
    batch = found.batch(batches[1], step_tokens=4.0)
    assert batch.source[:, 0].tolist() == [11, 14]
    assert batch.fresh.tolist() == [False, False]
    assert found.batch(batches[0], step_tokens=4.0).fresh.all()


def test_rows_are_what_the_budget_allows_of_the_longest_lines():
    long = PairSequences(TokenSequences.from_ids([[5] * 9, [5]] * 4), TokenSequences.from_ids([[5], [5] * 5] * 4))
    assert stream_count(long, TokenBudget(64, 100)) == 4  # of 10 and 6 tokens
    assert stream_count(long, TokenBudget(64, 3)) == 3
    assert stream_count(long, TokenBudget(10_000, 100)) == 8
    found, batches = Streams(long, 4).epoch(0, 1, 0.0)
    for batch in batches:
        assert len(batch) * sum(int(side.lengths[batch].max()) + 1 for side in (found.source, found.target)) <= 64


def test_several_targets_of_a_source_are_refused():
    with pytest.raises(UserError, match="^carry needs sources with one target each, but some of train or dev have"):
        Streams(pairs(3, [0, 1, 1]), 1)


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_a_rate_is_a_probability(rate):
    with pytest.raises(UserError) as error:
        StreamOptions(fresh_rate=rate)
    assert str(error.value) == f"fresh_rate must be at least 0 and at most 1, but is {rate}."
