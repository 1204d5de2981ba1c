"""A run that goes on refuses what is for a new one."""

import pytest

from seq2seq.config.overrides import resuming
from seq2seq.config.stored import continued
from seq2seq.errors import UserError


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("find_lr=true", "find_lr"),
        ("from=r1", "from"),
        ("lr_finder.steps=7", "lr_finder.steps"),
        ("sizing=none", "sizing"),
        ("sizing=auto", "sizing"),
    ],
)
def test_what_is_for_a_new_run_is_told_so(tiny_config, override, key):
    with pytest.raises(UserError) as error:
        continued(tiny_config(), [override])
    assert str(error.value) == f"{key} is for a new run, but is given with resume=true: leave one of them out."


def test_whom_to_trust_is_no_change_of_the_run():
    arguments = ["run_dir=run", "resume=true", "trust=[own_attention]", "seed=2"]
    assert resuming(arguments) == [*arguments[:3], "+changes=['seed=2']"]
