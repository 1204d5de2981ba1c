"""Changes of a script to a part of a run's config."""

import pytest

from seq2seq.config.open_parts import changed
from seq2seq.errors import UserError

OWN = {"first": {"_target_": "a.First", "size": 1, "kind": "x"}, "second": {"_target_": "a.Second"}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, OWN),
        ({"first": {"size": 2}}, OWN | {"first": {"_target_": "a.First", "size": 2, "kind": "x"}}),
        ({"first": {"size": 2}, "second": None}, {"first": {"_target_": "a.First", "size": 2, "kind": "x"}}),
        ({"third": {"_target_": "a.Third", "size": 3}}, {"third": {"_target_": "a.Third", "size": 3}}),
        ({"third": {"_target_": "a.Third"}, "first": {"_target_": "b.First"}}, None),
    ],
)
def test_values_are_put_into_the_runs_own_and_targets_take_their_place(given, expected):
    assert changed("parts", OWN, given) == (expected or given)
    assert OWN["first"] == {"_target_": "a.First", "size": 1, "kind": "x"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"third": {"size": 2}},
            "parts.third must be one of the run's, first, second: choose others by parts=OPTION.",
        ),
        ({"third": None}, "parts.third must be one of the run's, first, second: choose others by parts=OPTION."),
        (
            {"third": {"_target_": "a.Third"}, "first": {"size": 2}},
            "parts.first must be one of those chosen, third: choose others by parts=OPTION.",
        ),
        ({"first": 3}, "parts.first must hold options or be null, but is 3: give parts.first.OPTION."),
        (
            {"first": None, "second": None},
            "parts must keep one of first, second: do not leave out all of them.",
        ),
    ],
)
def test_a_change_of_what_is_not_there(given, message):
    with pytest.raises(UserError) as error:
        changed("parts", OWN, given)
    assert str(error.value) == message


@pytest.mark.parametrize("own", [[{"_target_": "a.First"}], "a.First", None], ids=str)
def test_a_part_of_a_run_that_is_no_mapping_is_refused(own):
    with pytest.raises(UserError) as error:
        changed("parts", own, {})
    assert str(error.value) == f"parts of the run must be a mapping, but is {own!r}."
