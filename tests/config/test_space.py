import pytest

from seq2seq.config.space import Choices, Range, read_space
from seq2seq.errors import UserError


def test_lists_are_choices_and_ranges_are_ranges(tmp_path):
    node = {"a.b": [1, "x", None], "c": {"low": 1, "high": 4}, "d": {"low": 1e-4, "high": 0.1, "log": True}}
    wanted = {"a.b": Choices((1, "x", None)), "c": Range(1, 4), "d": Range(1e-4, 0.1, log=True)}
    assert read_space(node, None) == wanted
    (tmp_path / "space.yaml").write_text("c: {low: 0, high: 1, step: 0.25}\n")
    assert read_space(node, str(tmp_path / "space.yaml")) == {"c": Range(0, 1, step=0.25)}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({}, "space must name options and their values, but is empty"),
        ({"a": []}, "space: a must be a list of values, or low and high with step or log, but is []."),
        ({"a": 3}, "space: a must be a list of values, or low and high with step or log, but is 3."),
        ({"a": {"low": 1}}, "space: a must be a list of values, or low and high"),
        ({"a": {"low": 1, "high": 2, "base": 3}}, "space: a must be a list of values, or low and high"),
        ({"a": {"low": "x", "high": 2}}, "space: a.low must be"),
        ({"a": {"low": None, "high": 2}}, "space: a.low must be"),
        ({"a": {"low": 2, "high": 1}}, "space: a must have low below high, with log above 0, and a step above 0"),
        ({"a": {"low": 0, "high": 1, "log": True}}, "space: a must have low below high, with log above 0"),
        ({"a": {"low": 0, "high": 1, "step": 0}}, "space: a must have low below high, with log above 0"),
        ({"a": {"low": 1, "high": 2, "log": True, "step": 1}}, "space: a must have a step or log, but has both"),
    ],
)
def test_what_is_no_space_is_told(node, message):
    with pytest.raises(UserError) as error:
        read_space(node, None)
    assert str(error.value).startswith(message)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match="space_file=.*none.yaml cannot be read"):
        read_space({}, str(tmp_path / "none.yaml"))
