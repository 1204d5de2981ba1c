"""Configs by Hydra, and one tiny run that the tests share."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from seq2seq.commands.train import train
from seq2seq.config.contract import resolve
from seq2seq.config.moved import _TARGETS
from seq2seq.config.places import CONF

TINY_DATA = [
    "experiment=reverse",
    "data.train_size=60",
    "data.dev_size=8",
    "data.test_size=7",
    "data.alphabet_size=6",
    "data.max_length=5",
]
TINY_RUN = [
    *TINY_DATA,
    "model.embedding_size=16",
    "model.encoder.hidden_size=8",
    "model.decoder.hidden_size=16",
    "model.decoder.feature_size=16",
    "optimizer.lr=0.03",
    "decoding.length.max_ratio=1.0",
    "decoding.length.max_extra=3",
    "schedule.warmup_steps=2",
    "budget.max_steps=30",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "trainer.val_check_interval=10",
    "precision=32-true",
    "logger=none",
]


def as_before_0_2(config: dict[str, Any]) -> dict[str, Any]:
    """A plain config of this version as an earlier one would have written it."""
    text = json.dumps(config)
    for old, new in _TARGETS.items():
        text = text.replace(f'"{new}"', f'"{old}"')
    old = json.loads(text)
    old["objective"]["coverage"] = old["objective"].pop("coverage_loss")
    old["trainer"]["gradient_clip_val"] = old.pop("gradients")["max_norm"]
    encoder = old["model"]["encoder"]
    given = encoder.pop("input")
    encoder |= {name: given[name] for name in ("ngrams", "front_end")}
    if old["logger"]:
        (old["logger"],) = old["logger"].values()
    return old


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def config_of() -> Callable[..., DictConfig]:
    """A script's config as Hydra composes it: config_of("evaluate", "run=runs/1")."""

    return lambda name, *overrides, **options: deepcopy(_composed(name, *overrides, **options))


@pytest.fixture(scope="session")
def plain_config_of() -> Callable[..., dict[str, Any]]:
    """The same in plain types, resolved: plain_config_of("train", "seed=2")."""
    return lambda name, *overrides: resolve(_composed(name, *overrides), list(overrides))


@cache
def _composed(name: str, *overrides: str, **options: Any) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name, list(overrides), **options)


@pytest.fixture(scope="session")
def tiny_run() -> list[str]:
    """The overrides of the run in `finished`."""
    return TINY_RUN


@pytest.fixture(scope="session")
def tiny_config(plain_config_of: Callable) -> Callable[..., dict[str, Any]]:
    """The plain config of that run, with overrides."""
    return lambda *overrides: plain_config_of("train", *TINY_RUN, *overrides)


@pytest.fixture(scope="session")
def finished(tiny_config: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has ended. Read it only."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    folder.mkdir()
    train(tiny_config(), folder, resume=False)
    return folder
