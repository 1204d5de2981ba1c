"""Brackets are nested and closed, as deep as they are asked for, and no string is in two splits."""

import pytest

from seq2seq.data.corpora.brackets import BracketCorpus
from seq2seq.errors import UserError

PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}
SMALL = {"train_size": 300, "dev_size": 40, "test_size": 30}


def open_brackets(symbols: list[str]) -> tuple[list[str], int]:
    """Those left open, outermost first, and the most that were open together. Fails where one closes another's kind."""
    stack, most = [], 0
    for symbol in symbols:
        if symbol in PAIRS:
            stack.append(symbol)
            most = max(most, len(stack))
        else:
            assert PAIRS[stack.pop()] == symbol
    return stack, most


@pytest.mark.parametrize(("kinds", "depths", "length"), [(1, (1, 6), 16), (3, (2, 5), 12), (4, (8, 8), 8)])
def test_every_target_closes_its_source(kinds, depths, length):
    options = {**SMALL, "kinds": kinds, "min_depth": depths[0], "max_depth": depths[1], "max_length": length}
    splits = BracketCorpus(
        **({**options, "train_size": 20, "dev_size": 5, "test_size": 5} if kinds == 1 else options)
    ).load()
    examples = [*splits.train, *splits.dev, *splits.test]
    seen = set()
    for example in examples:
        symbols, (target,) = example.source.split(), example.targets
        left, most = open_brackets(symbols)
        assert target.split() == [PAIRS[symbol] for symbol in reversed(left)]
        assert open_brackets([*symbols, *target.split()])[0] == []
        assert depths[0] <= len(left) <= most <= depths[1]
        assert len(symbols) <= length
        seen |= {*symbols} & PAIRS.keys()
    assert len(seen) == kinds
    assert len({example.source for example in examples}) == len(examples)
    assert {len(example.targets[0].split()) for example in examples} == {*range(depths[0], depths[1] + 1)}


def test_strings_depend_on_the_seed_alone():
    first, again, other = (BracketCorpus(**SMALL, seed=seed).load().train for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": 5}, "kinds must be between 1 and 4, but is 5."),
        ({"kinds": 0}, "kinds must be between 1 and 4, but is 0."),
        ({"min_depth": 0}, "min_depth must be between 1 and max_depth=5, but is 0."),
        ({"min_depth": 6}, "min_depth must be between 1 and max_depth=5, but is 6."),
        ({"max_length": 4}, "max_length must be at least max_depth=5, but is 4."),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(UserError) as error:
        BracketCorpus(**options)
    assert str(error.value) == message


def test_too_many_strings_are_refused():
    with pytest.raises(UserError, match="train_size \\+ dev_size \\+ test_size must be less, as strings of up to 3 br"):
        BracketCorpus(**SMALL, kinds=1, max_depth=2, max_length=3).load()
