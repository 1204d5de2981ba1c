"""Mistakes that Hydra raises are told in our words."""

from typing import Any

import numpy as np
import pytest
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf

from seq2seq.config.builder import build
from seq2seq.config.invocation import invoked
from seq2seq.config.mistakes import _SCORES, one_line
from seq2seq.config.options import _known_keys, unknown
from seq2seq.config.other_words import _NEEDLESS, MEANT, needless
from seq2seq.config.places import CONF
from seq2seq.metrics.scores import Scores

METRICS: dict[str, Any] = {
    path.stem: OmegaConf.to_container(OmegaConf.load(path)) for path in (CONF / "metrics").glob("*.yaml")
}


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


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Options of the scripts that people know from elsewhere, where data are in files and parts can be chosen."""
    calls = [
        ("train", "data=tsv", "optimizer=adamw", "callbacks=early_stopping"),
        ("translate", "decoding=beam"),
        ("translate", "decoding=sampling"),
        ("evaluate", "decoding=beam"),
        ("benchmark",),
    ]
    found: set[str] = set()
    for script, *arguments in calls:
        with invoked(script, arguments):
            found.update(_known_keys())
    return found


@pytest.mark.parametrize("word", MEANT)
def test_what_a_word_of_others_may_mean_is_an_option(known, word):
    assert set(MEANT[word]) <= known


@pytest.mark.parametrize("word", _NEEDLESS)
def test_what_no_option_is_needed_for_is_none_and_is_told_so(known, word):
    assert word not in known
    assert word not in MEANT
    with invoked("train", [f"{word}=1"]):
        assert f"The option '{word}' does not exist{needless(word)}" == unknown(word)


def test_other_scripts_have_such_options_or_say_nothing_of_training():
    for script, said in (("search", "did you mean 'workers'?"), ("evaluate", "evaluate takes ")):
        with invoked(script, ["num_workers=2"]):
            assert unknown("num_workers").startswith(f"The option 'num_workers' does not exist: {said}")


def scores_of(choice: Any) -> set[str]:
    """Names of the scores of an option of `metrics`; the loss is everybody's."""
    parts = {} if choice["metrics"] == "auto" else choice["metrics"]
    metrics: list[Scores] = [build(part, name) for name, part in parts.items()]
    return {name for metric in metrics for name in metric.scores(np.ones((1, len(metric.totals))))}


@pytest.mark.parametrize("option", METRICS)
def test_a_score_is_answered_with_a_metric_that_has_it(option):
    for score in scores_of(METRICS[option]) - METRICS.keys():
        meant = _SCORES[score.casefold()]
        assert set(meant) <= METRICS.keys()
        assert any(score in scores_of(METRICS[name]) for name in meant)


@pytest.mark.parametrize("word", _SCORES)
def test_what_a_score_is_answered_with_exists_and_is_another_name(word):
    assert {*_SCORES[word]} <= METRICS.keys() - {"auto"}
    assert word not in METRICS
