import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.examples import Example, group, hold_out, shuffled
from seq2seq.errors import UserError

LAW = settings(deadline=None, max_examples=50)
few_pairs = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("vwxyz")), max_size=20)
distinct_numbers = st.lists(st.integers(0, 99), min_size=2, max_size=20, unique=True)


def examples_of(numbers: list[int]) -> list[Example]:
    return [Example(f"s{number}", (f"t{number}",)) for number in numbers]


@LAW
@given(few_pairs)
def test_grouping_keeps_every_distinct_pair_once_in_order_of_appearance(pairs):
    examples = group(pairs)
    assert [example.source for example in examples] == list(dict.fromkeys(source for source, _ in pairs))
    for example in examples:
        answers = [target for source, target in pairs if source == example.source]
        assert example.targets == tuple(dict.fromkeys(answers))


@LAW
@given(few_pairs)
def test_grouping_twice_is_grouping_once(pairs):
    once = group(pairs)
    assert group((example.source, target) for example in once for target in example.targets) == once


@LAW
@given(distinct_numbers, st.randoms(use_true_random=False), st.integers(0, 5))
def test_shuffling_depends_on_the_set_of_examples_and_the_seed_alone(numbers, random, seed):
    examples = examples_of(numbers)
    other_order = examples.copy()
    random.shuffle(other_order)
    given_order = other_order.copy()
    assert shuffled(other_order, seed) == shuffled(examples, seed)
    assert other_order == given_order  # a copy was shuffled
    assert sorted(shuffled(examples, seed), key=str) == sorted(examples, key=str)


def test_another_seed_gives_another_order():
    examples = [Example(str(number), ("",)) for number in range(50)]
    assert shuffled(examples, 1) != shuffled(examples, 2)
    assert shuffled(examples, 1) != shuffled(examples, 1)[::-1]


@LAW
@given(distinct_numbers, st.data())
def test_held_out_examples_and_the_rest_are_all_examples(numbers, data):
    examples = examples_of(numbers)
    dev_size = data.draw(st.integers(1, len(examples) - 1))
    splits = hold_out(examples, dev_size, seed=3)
    assert len(splits.dev) == dev_size
    assert splits.test == []
    assert sorted(splits.train + splits.dev, key=str) == sorted(examples, key=str)
    assert hold_out(examples[::-1], dev_size, seed=3) == splits


@pytest.mark.parametrize("dev_size", [-1, 0, 4, 5])
def test_holding_out_nothing_or_everything_is_refused(dev_size):
    examples = [Example(letter, ("x",)) for letter in "abcd"]
    rule = "dev_size must be between 1 and 3 (one less than the examples at hand), "
    with pytest.raises(UserError, match=f"^{re.escape(f'{rule}but is {dev_size}.')}$"):
        hold_out(examples, dev_size, seed=1)


def test_no_source_is_in_both_train_and_dev():
    examples = [Example(source, (target,)) for source in "abcdefgh" for target in "uv"]
    splits = hold_out(examples, 3, seed=1)
    assert len(splits.dev) == 3
    seen = {example.source for example in splits.dev}
    assert sorted(splits.train, key=str) == [example for example in examples if example.source not in seen]
