"""Mistakes that Hydra raises are told in our words."""

import pytest
from hydra.errors import MissingConfigException

from seq2seq.config.mistakes import one_line


@pytest.mark.parametrize(
    ("launcher", "missing", "library"), [("workers", "joblib", "joblib"), ("cluster", "submitit_slurm", "submitit")]
)
def test_a_launcher_that_is_missing_is_named_with_what_installs_it(launcher, missing, library):
    error = MissingConfigException(
        f"In 'hydra/launcher/{launcher}': Could not load 'hydra/launcher/{missing}'.", missing
    )
    assert one_line(error) == (
        f"hydra/launcher={launcher} needs the library hydra-{library}-launcher: pip install -e '.[{library}]'."
    )


def test_a_part_that_is_chosen_as_another_kind_is_told_where_it_belongs():
    error = MissingConfigException(
        "In 'model/luong': Could not find 'model/cell/time_lstm'\n\n"
        "Available options in 'model/cell':\n\tgru\n\tmin_lstm\n"
    )
    assert one_line(error) == (
        "The option model/cell=time_lstm does not exist: did you mean model/gap_cell=time_lstm? "
        "There are gru, min_lstm."
    )
