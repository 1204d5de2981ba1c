import re
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seq2seq.data.batching import BatchPlan, TokenBudget
from seq2seq.errors import UserError

LAW = settings(deadline=None, max_examples=80)
length = st.integers(1, 20)
pairs_of_lengths = st.lists(st.tuples(length, length), min_size=1, max_size=60)
budgets = st.builds(TokenBudget, st.integers(40, 200), st.integers(1, 12))  # 40: any one pair fits


def plan_of(pairs: list[tuple[int, int]], budget: TokenBudget, **options) -> BatchPlan:
    source, target = torch.tensor(pairs, dtype=torch.long).view(-1, 2).unbind(1)
    return BatchPlan(source, target, budget, **options)


def as_lists(batches: Iterable[Tensor | np.ndarray]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


def padded_tokens(rows: list[int], source: np.ndarray, target: np.ndarray) -> int:
    return len(rows) * int(max(source[row] for row in rows) + max(target[row] for row in rows))


def efficiency(batches: list[list[int]], source: np.ndarray, target: np.ndarray) -> float:
    """Share of all tokens that are not padding."""
    return float(source.sum() + target.sum()) / sum(padded_tokens(batch, source, target) for batch in batches)


def lognormal_lengths(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    source = np.clip(np.round(random.lognormal(2.5, 0.6, count)), 1, 120).astype(np.int64)
    target = np.clip(np.round(source * random.lognormal(0, 0.15, count)), 1, 120).astype(np.int64)
    return source, target


@LAW
@given(pairs_of_lengths, budgets, st.integers(0, 3), st.integers(1, 5), st.booleans())
def test_every_batch_keeps_to_the_budget_and_every_row_comes_once(pairs, budget, epoch, pool_batches, shuffle):
    batches = as_lists(plan_of(pairs, budget, pool_batches=pool_batches, shuffle=shuffle).epoch(epoch))
    source, target = np.array(pairs).T
    for batch in batches:
        assert 1 <= len(batch) <= budget.max_sentences
        assert padded_tokens(batch, source, target) <= budget.max_tokens
    assert sorted(row for batch in batches for row in batch) == list(range(len(pairs)))


@LAW
@given(pairs_of_lengths, st.integers(2, 120), st.integers(1, 8), st.randoms(use_true_random=False))
def test_cutting_takes_as_many_rows_as_fit_and_a_pair_too_long_goes_alone(pairs, max_tokens, max_sentences, random):
    order = list(range(len(pairs)))
    random.shuffle(order)
    source, target = np.array(pairs).T
    batches = as_lists(TokenBudget(max_tokens, max_sentences).cut(source, target, np.array(order)))

    def fits(rows: list[int]) -> bool:
        within = len(rows) <= max_sentences and padded_tokens(rows, source, target) <= max_tokens
        return within or len(rows) == 1

    assert [row for batch in batches for row in batch] == order
    assert all(batch and fits(batch) for batch in batches)
    assert not any(fits([*batch, following[0]]) for batch, following in zip(batches, batches[1:], strict=False))


@LAW
@given(pairs_of_lengths, budgets, st.integers(0, 3), st.integers(0, 3))
def test_an_epoch_is_a_function_of_seed_and_number_alone(pairs, budget, seed, epoch):
    first = as_lists(plan_of(pairs, budget, seed=seed).epoch(epoch))
    np.random.default_rng().random()
    torch.manual_seed(epoch + 99)
    other = plan_of(pairs, budget, seed=seed)
    other.epoch(epoch + 1)
    assert as_lists(other.epoch(epoch)) == first


def test_drawing_batches_leaves_the_global_random_states_alone():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    plan_of([(1, 2)] * 50, TokenBudget(40, 4)).epoch(0)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(length, length), min_size=40, max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_another_epoch_or_seed_puts_other_rows_together(pairs, number, other):
    assume(number != other)
    budget = TokenBudget(200, 8)

    def company(seed: int, epoch: int) -> set[frozenset[int]]:
        return {frozenset(batch) for batch in as_lists(plan_of(pairs, budget, seed=seed, pool_batches=2).epoch(epoch))}

    assert company(1, number) != company(1, other)
    assert company(number, 0) != company(other, 0)


@LAW
@given(pairs_of_lengths, budgets)
def test_without_shuffling_every_epoch_and_seed_is_the_same(pairs, budget):
    fixed = as_lists(plan_of(pairs, budget, shuffle=False, seed=1).epoch(0))
    assert as_lists(plan_of(pairs, budget, shuffle=False, seed=2).epoch(5)) == fixed


def test_batches_are_shuffled_so_that_lengths_do_not_grow_along_an_epoch():
    source, target = lognormal_lengths(4000)
    plan = BatchPlan(torch.from_numpy(source), torch.from_numpy(target), TokenBudget(1000, 100))
    means = [float(source[batch].mean()) for batch in plan.epoch(0)]
    # Some 140 independent draws correlate with their positions at a standard deviation of 0.085: 5 of them.
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.43


def test_sorting_wastes_less_on_padding_than_random_order_and_larger_pools_least():
    source, target = lognormal_lengths(4000)
    budget = TokenBudget(1000, 100)

    def of_pools(pool_batches: int) -> float:
        plan = BatchPlan(torch.from_numpy(source), torch.from_numpy(target), budget, pool_batches=pool_batches)
        return efficiency(as_lists(plan.epoch(0)), source, target)

    order = np.random.default_rng(1).permutation(len(source))
    random_order = efficiency(as_lists(budget.cut(source, target, order)), source, target)
    assert random_order < 0.5 < of_pools(1) < of_pools(10) < of_pools(100)
    assert of_pools(100) > 0.9


def test_pairs_of_words_lie_beside_those_that_are_as_long_on_both_sides():
    random = np.random.default_rng(1)
    source = random.normal(9.0, 2.0, 20_000).round().clip(3, 20).astype(int)  # letters and phonemes
    target = (source - random.normal(1.0, 1.0, len(source))).round().clip(2, 20).astype(int)
    plan = BatchPlan(torch.from_numpy(source), torch.from_numpy(target), TokenBudget(3000, 512))
    assert efficiency(as_lists(plan.epoch(0)), source, target) > 0.97  # by the longer side, then the sum: 0.94


def test_the_longest_pair_must_fit():
    message = "max_tokens must be at least 9, the tokens of the longest pair, but is 8: raise it or lower max_length."
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        plan_of([(1, 2), (4, 5), (6, 1)], TokenBudget(8, 4))
    assert as_lists(plan_of([(4, 5)], TokenBudget(9, 4)).epoch(0)) == [[0]]


def test_no_rows_make_no_batches():
    assert plan_of([], TokenBudget(8, 4)).epoch(0) == []
    nothing = np.array([], dtype=np.int64)
    assert TokenBudget(8, 4).cut(nothing, nothing, nothing) == []


@pytest.mark.parametrize("longest", [20, 20_000])
def test_an_epoch_takes_four_bytes_of_a_row(longest):
    """There can be millions; two lengths of a pair are no more than that, either, where they are short."""
    lengths = torch.randint(2, longest, (3000,), dtype=torch.int32)
    plan = BatchPlan(lengths, lengths, TokenBudget(80_000, 64))
    batches = plan.epoch(3)
    assert sum(batch.nbytes for batch in batches) == 4 * len(lengths)
    places = [batch.data_ptr() for batch in batches]
    assert max(places) - min(places) < 4 * len(lengths)  # parts of one array
    assert plan.source.itemsize == (2 if longest == 20 else 4)
    assert sorted(torch.cat(batches).tolist()) == list(range(3000))
