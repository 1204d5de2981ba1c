"""What the script sets itself cannot be set beside it, and the sentence says what to set instead."""

import inspect

import pytest
import pytorch_lightning
from omegaconf import OmegaConf

from seq2seq.commands.building.trainer import build_trainer
from seq2seq.config.closed_table import find
from seq2seq.config.contract import check
from seq2seq.config.moved import up_to_date
from seq2seq.config.reserved import _INSTEAD, refusal
from seq2seq.errors import UserError
from seq2seq.runs.automatic import nominal


@pytest.fixture
def given(tiny_config, tmp_path, monkeypatch) -> dict:
    """The keywords that Lightning's trainer is built with."""
    signature = inspect.signature(pytorch_lightning.Trainer)
    kept: dict = {}

    def recorded(**keywords) -> pytorch_lightning.Trainer:
        kept.update(keywords)
        return pytorch_lightning.Trainer(**keywords)

    recorded.__signature__ = signature
    recorded.__module__ = "pytorch_lightning"
    monkeypatch.setattr(
        "seq2seq.config.contract.find",
        lambda target, path: recorded if target.endswith(".Trainer") else find(target, path),
    )
    config = nominal(tiny_config()) | {"callbacks": {}}
    build_trainer(config, tmp_path)
    return kept | {"_own": set(config["trainer"])}


def test_all_that_the_script_sets_is_refused(given):
    set_by_script = set(given) - given["_own"] - {"_own"}
    assert len(set_by_script) > 8
    assert set_by_script - {"plugins"} <= set(_INSTEAD)  # which give way to those of the user
    assert not given["_own"] & set(_INSTEAD)
    assert set(_INSTEAD) <= set(inspect.signature(pytorch_lightning.Trainer).parameters)


@pytest.mark.parametrize("name", _INSTEAD)
def test_an_option_that_the_script_sets_is_refused_by_name(tiny_config, name):
    config = tiny_config(f"+trainer.{name}=1")
    with pytest.raises(UserError) as error:
        check(config)
    assert str(error.value) == refusal(f"trainer.{name}")
    assert str(error.value).startswith(f"trainer.{name} is set by the script: ")


def test_what_to_use_instead_exists(config_of):
    config = config_of("train")
    known = {rather for rather in _INSTEAD.values() if rather}
    assert all(OmegaConf.select(config, name, default="no") != "no" for name in known - {"data.test"})
    assert refusal("trainer.max_epochs") == "trainer.max_epochs is set by the script: use budget.max_steps instead."
    assert refusal("trainer.barebones") == "trainer.barebones is set by the script: leave it out."
    assert refusal("trainer.devices") is refusal("max_epochs") is None


def test_a_run_of_before_that_has_one_goes_on_without_it(tiny_config):
    config = tiny_config("+trainer.max_epochs=1")
    assert up_to_date(config)["trainer"] == tiny_config()["trainer"]
