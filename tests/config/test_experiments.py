"""What an experiment says of an option goes with it where another is chosen."""

import logging
from pathlib import Path

import pytest
from hydra import compose
from omegaconf import OmegaConf

from seq2seq.config.composing import composing
from seq2seq.config.contract import check, resolve
from seq2seq.config.experiments import _contents
from seq2seq.config.places import CONF
from seq2seq.errors import UserError

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def resolved(*overrides: str) -> dict:
    with composing():
        config = compose("train", list(overrides))
        for key in OmegaConf.missing_keys(config):  # what must be given
            OmegaConf.update(config, key, "train.tsv")
        return resolve(config, list(overrides))


def refused(config: dict) -> str:
    try:
        check(config)
    except UserError as error:
        return str(error)
    return ""


def groups_of(experiment: str) -> list[Path]:
    """Groups of single parts, in which an experiment gives a value."""
    parts = {key.rpartition(".")[0] for key in _contents(experiment)[1]}
    folders = [CONF / part.replace(".", "/") for part in sorted(parts - {"", "data", "model", "callbacks"})]
    return [folder for folder in folders if folder.is_dir()]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_other_option_can_take_the_place_of_an_experiments(experiment):
    for folder in groups_of(experiment):
        for option in sorted(path.stem for path in folder.glob("*.yaml")):
            config = resolved(f"experiment={experiment}", f"{folder.relative_to(CONF)}={option}")
            assert "is not an option of" not in refused(config), (experiment, option)
            part = config
            for name in folder.relative_to(CONF).parts:
                part = part.get(name) or {}
            assert not part or "_target_" in part, (experiment, option)


def test_values_of_the_experiment_go_with_its_option_and_are_told(caplog):
    caplog.set_level(logging.INFO)
    assert "alpha" not in resolved("experiment=pronalsyl", "objective=cross_entropy")["objective"]
    assert caplog.messages == [
        "objective.alpha: not with objective=cross_entropy, for which the experiment pronalsyl did not mean it"
    ]
    assert resolved("experiment=language_model", "gradients=none")["gradients"] is None


@pytest.mark.parametrize("overrides", [["data=tsv"], ["data=tsv", "~data.test_share"]])
def test_what_was_left_out_by_hand_is_not_looked_for(overrides, caplog):
    caplog.set_level(logging.INFO)
    assert "test_share" not in resolved("experiment=comparison", *overrides)["data"]
    assert len(caplog.messages) == 2 - len(overrides)


def test_values_that_go_are_told_together(caplog):
    caplog.set_level(logging.INFO)
    resolved("experiment=multi30k_de_en", "data=tsv", "data.train=train.tsv")
    (told,) = caplog.messages
    assert told.endswith(": not with data=tsv, for which the experiment multi30k_de_en did not mean it")


def test_an_option_with_such_a_name_has_its_own_value():
    assert resolved("experiment=pronalsyl")["objective"]["alpha"] == 1.0
    plain = resolved("objective=minimum_risk")["objective"]
    assert resolved("experiment=pronalsyl", "objective=minimum_risk")["objective"] == plain
    assert plain["alpha"] != 1.0


def test_what_fits_another_model_stays(caplog):
    caplog.set_level(logging.INFO)
    found = resolved("experiment=comparison", "model=luong")["model"]
    assert (found["dropout"], found["decoder"]["hidden_size"]) == (0.1, 256)
    assert caplog.messages == []


def test_what_is_given_itself_stays_and_is_refused_by_name():
    config = resolved("experiment=pronalsyl", "objective=cross_entropy", "objective.alpha=2.0")
    assert refused(config).startswith("objective.alpha is not an option of ")
