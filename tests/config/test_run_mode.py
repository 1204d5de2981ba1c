"""A start composes a config once to check what was typed, and once to run it: not once more for Hydra's mode."""

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from seq2seq.config import composing, options
from seq2seq.config.invocation import invoked
from seq2seq.config.places import CONF
from seq2seq.config.run_mode import mode_known


@pytest.fixture(autouse=True)
def _composed_anew(plain_hydra):
    options._composed.cache_clear()
    with plain_hydra():
        yield
    GlobalHydra.instance().clear()
    options._composed.cache_clear()


def test_a_start_composes_twice(mistake, monkeypatch):
    composed, own = [], ConfigLoaderImpl.load_configuration

    def load(self, *given, **named):
        composed.append(given)
        return own(self, *given, **named)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", load)
    assert mistake("score", "run=nowhere").startswith("run=nowhere does not exist")
    assert len(composed) == 2


@pytest.mark.parametrize("arguments", [[], ["run=x"], ["hydra.mode=MULTIRUN"], ["--multirun", "seed=1,2"]])
def test_the_mode_is_what_hydra_finds(arguments):
    overrides = [text for text in arguments if not text.startswith("-")]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        wanted = hydra.get_mode("score", overrides)
        with invoked("score", arguments), mode_known(arguments):
            assert hydra.get_mode("score", overrides) == wanted


def test_a_config_may_ask_for_a_mode(tmp_path, monkeypatch):
    (tmp_path / "score.yaml").write_text("hydra: {mode: MULTIRUN}\n")
    monkeypatch.setattr(composing, "CONF", tmp_path)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        with invoked("score", []), mode_known([]):
            assert hydra.get_mode("score", []) == RunMode.MULTIRUN


@pytest.mark.parametrize("arguments", [["--config-dir", "conf"], ["-m"], ["hydra.mode=RUN"], ["+hydra.mode=RUN"]])
def test_what_flags_and_arguments_for_hydra_say_is_asked_as_ever(arguments):
    plain = Hydra.get_mode
    with mode_known(arguments):
        assert Hydra.get_mode is plain
    with mode_known(["seed=2"]):
        assert Hydra.get_mode is not plain
    assert Hydra.get_mode is plain
