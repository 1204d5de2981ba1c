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
