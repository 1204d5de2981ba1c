"""Flags of Hydra may stand anywhere between options."""

import pytest

from seq2seq.config.command_line import _flags_first


@pytest.mark.parametrize(
    "arguments",
    [
        ["--multirun", "--config-dir", "conf", "seed=1,2", "a=b"],
        ["seed=1,2", "--multirun", "a=b", "--config-dir", "conf"],
        ["seed=1,2", "a=b", "--config-dir", "conf", "--multirun"],
        ["seed=1,2", "--config-dir", "conf", "--multirun", "a=b"],
    ],
)
def test_they_come_first_and_options_keep_their_order(arguments):
    found = _flags_first(arguments)
    assert sorted(found) == sorted(arguments)
    assert found[-2:] == ["seed=1,2", "a=b"]
    assert found.index("conf") == found.index("--config-dir") + 1
