"""Splits stay what they were, whatever is added to the data."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series
from seq2seq.data.splitting import Fingerprint, fingerprints, hold_out, rank, ranked, sample
from seq2seq.errors import UserError

LAW = settings(deadline=None, max_examples=50)
distinct_numbers = st.lists(st.integers(0, 99), min_size=2, max_size=20, unique=True)


def examples_of(numbers: list[int]) -> list[Example]:
    return [Example(f"s{number}", (f"t{number}",)) for number in numbers]


@LAW
@given(distinct_numbers, st.randoms(use_true_random=False), st.integers(0, 5))
def test_the_order_depends_on_the_set_of_examples_and_the_seed_alone(numbers, random, seed):
    examples = examples_of(numbers)
    other_order = examples.copy()
    random.shuffle(other_order)
    assert ranked(other_order, seed) == ranked(examples, seed)
    assert sorted((one for _, one in ranked(examples, seed)), key=str) == sorted(examples, key=str)


def test_places_are_even_and_differ_with_the_seed():
    places = [rank(str(number), 1) for number in range(2000)]
    for bound in (0.05, 0.5, 0.9):
        assert sum(place < bound for place in places) == pytest.approx(2000 * bound, abs=60)
    assert [rank(str(number), 2) for number in range(5)] != places[:5]


@pytest.mark.parametrize("other", ["e\u0301ﬁ", " éfi", "éfi\u3000"])
def test_forms_of_one_text_have_one_place(other):
    assert rank(other, 3) == rank("éfi", 3) != rank("efi", 3)


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


@LAW
@given(distinct_numbers, st.lists(st.integers(100, 199), max_size=10, unique=True), st.data())
def test_what_is_added_moves_nothing_where_the_bound_is_known(numbers, more, data):
    before = hold_out(examples_of(numbers), data.draw(st.integers(1, len(numbers) - 1)), seed=3)
    after = hold_out(examples_of([*more, *numbers]), 1, seed=3, below=before.held_out_below)
    for side in ("train", "dev"):
        old, new = (set(map(str, getattr(splits, side))) for splits in (before, after))
        assert old <= new


@pytest.mark.parametrize("dev_size", [-1, 0, 4, 5])
def test_holding_out_nothing_or_everything_is_refused(dev_size):
    examples = [Example(letter, ("x",)) for letter in "abcd"]
    rule = "dev_size must be between 1 and 3 (one less than the examples at hand), "
    with pytest.raises(UserError, match=f"^{re.escape(f'{rule}but is {dev_size}.')}$"):
        hold_out(examples, dev_size, seed=1)


def test_where_the_bound_is_known_the_size_asks_for_nothing():
    examples = [Example(letter, ("x",)) for letter in "abcd"]
    splits = hold_out(examples, 1000, seed=1, below=rank("b", 1))
    assert {example.source for example in splits.dev} == {x for x in "abcd" if rank(x, 1) < rank("b", 1)}


def test_a_single_source_cannot_be_split():
    with pytest.raises(UserError, match="^dev_size must leave a source to train on, but 1 of these examples takes all"):
        hold_out([Example("a", ("b",)), Example("a ", ("c",))], 1, seed=1)


def test_no_source_is_in_both_train_and_dev():
    examples = [Example(source, (target,)) for source in ("a", "é", "e\u0301", "ﬁ", "fi", "b ", "b") for target in "uv"]
    for dev_size in range(1, 9):
        splits = hold_out(examples, dev_size, seed=1)
        assert len(splits.dev) >= dev_size
        assert {rank(one.source, 1) for one in splits.dev}.isdisjoint(rank(one.source, 1) for one in splits.train)
        assert len(splits.train) + len(splits.dev) == len(examples)


@LAW
@given(distinct_numbers, st.randoms(use_true_random=False))
def test_a_fingerprint_is_that_of_the_set(numbers, random):
    examples = examples_of(numbers)
    found = Fingerprint.of(examples)
    random.shuffle(examples)
    assert Fingerprint.of(examples).digest == found.digest
    assert found.difference(Fingerprint.of(examples), ordered=False) == ""
    other = [*examples[1:], Example(examples[0].source, ("other",))]
    assert found.difference(Fingerprint.of(other)) == f"as many examples, {len(examples)}, but others"
    assert found.difference(Fingerprint.of(examples[1:])) == f"{len(examples)} examples then, {len(examples) - 1} now"


def test_every_split_has_its_fingerprint_in_plain_types():
    found = fingerprints(Splits([Example("a", ("b", "c"))], [Example("a", ("c", "b"))]))
    assert {name: known["examples"] for name, known in found.items()} == {"train": 1, "dev": 1, "test": 0}
    assert found["train"] == vars(Fingerprint.of([Example("a", ("b", "c"))]))
    assert found["train"]["digest"] == found["dev"]["digest"]


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (9, 1), (55, 5), (9_999, 999), (20_000, 1000)])
def test_where_no_number_is_asked_for_a_tenth_is_held_out_and_at_most_a_thousand(count, held_out):
    splits = hold_out([Example(str(number), ("x",)) for number in range(count)], None, seed=1)
    assert len(splits.dev) == held_out
    assert len(splits.train) == count - held_out


@pytest.mark.parametrize("count", [0, 1])
def test_one_source_is_not_enough_for_two_splits(count):
    with pytest.raises(UserError, match=f"train must hold at least 2 .* but holds {count}.*: add pairs, or give dev."):
        hold_out([Example("a", ("x",))] * count, None, seed=1)


def test_a_sample_is_the_same_ever_after_and_in_the_order_of_the_whole():
    examples = [Example(str(number), ("x",)) for number in range(100)]
    found = sample(examples, 10, seed=1)
    assert len(found) == 10
    assert [example for example in examples if example in found] == found
    more = sample([*examples, *(Example(f"{number} more", ("x",)) for number in range(10))], 10, seed=1)
    assert len({*found} & {*more}) >= 5
    assert sample(examples, 10, seed=2) != found
    assert sample(examples, 100, seed=1) == examples


def test_a_sample_of_none_is_refused():
    with pytest.raises(UserError, match="max_dev_examples must be at least 1, or null for all, but is 0"):
        sample([Example("a", ("x",))], 0, seed=1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a", "holds 1, 'a': add pairs, or give dev."),
        ("", "holds 1: add pairs, or give dev."),
        (Series(np.ones((9, 1))), f"holds 1, '{Series(np.ones((9, 1)))}': cut a long series by seq2seq.windows, or gi"),
    ],
)
def test_one_source_alone_is_told_what_to_do(source, message):
    with pytest.raises(UserError) as error:
        hold_out([Example(source, ("x",))], None, 1)
    assert str(error.value).startswith(f"train must hold at least 2 sources to hold dev out of, but {message}")
