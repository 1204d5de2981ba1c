"""What is installed, and what only looks like it."""

import importlib

import pytest

from seq2seq.commands.building.loggers import build_loggers
from seq2seq.errors import UserError
from seq2seq.installed import is_installed


def test_what_can_be_imported_is_installed():
    assert is_installed("torch")
    assert is_installed("numpy")
    assert is_installed("json")
    assert not is_installed("no_such_library")


def test_a_folder_of_its_name_is_no_library(tiny_config, tmp_path, monkeypatch):
    for name in ("no_such_library", "wandb"):
        (tmp_path / name).mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert not is_installed("no_such_library")
    if is_installed("wandb"):
        pytest.skip("wandb is installed")
    with pytest.raises(UserError, match="^logger=wandb needs the library wandb: pip install -e"):
        build_loggers(tiny_config("logger=wandb"), tmp_path / "run")
