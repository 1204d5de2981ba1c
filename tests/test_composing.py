"""The suite's own Hydra composes what Hydra composes."""

import pickle
from typing import Any

import composing
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import Container, DictConfig, OmegaConf

from seq2seq.config.places import CONF

CASES = [(path.stem, ()) for path in sorted(CONF.glob("*.yaml"))]
CASES += [
    ("train", ("model=gnmt", "model/attention=additive", "data=tsv", "~callbacks.samples", "+trainer.profiler=simple")),
    ("train", ("experiment=comparison", "seed=7", "data.seed=8", "hydra.sweep.dir=x")),
    ("translate", ("decoding=beam", "decoding/ranking=gnmt", "rerank=mbr", "run=x")),
]


@pytest.fixture(autouse=True)
def _no_hydra_left_behind():
    yield
    GlobalHydra.instance().clear()


def composed(script: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(script, list(overrides), return_hydra_config=True)


def described(node: Any, path: str = "") -> list[tuple]:
    """Every node with its value and all that OmegaConf knows of it."""
    known = {name: value for name, value in vars(node._metadata).items() if name != "resolver_cache"}  # the time
    own = [(path, known, None if isinstance(node, Container) else node._value())]
    if not isinstance(node, Container) or node._is_none() or node._is_missing() or node._is_interpolation():
        return own
    keys = range(len(node)) if OmegaConf.is_list(node) else node.keys()
    return own + [one for key in keys for one in described(node._get_node(key), f"{path}.{key}")]


@pytest.mark.parametrize(("script", "overrides"), CASES)
def test_what_is_composed_sooner_is_the_same(plain_hydra, script, overrides):
    with plain_hydra():
        wanted = described(composed(script, *overrides))
    assert all(described(composed(script, *overrides)) == wanted for _ in range(2))


@pytest.mark.parametrize("overrides", [[], ["hydra.mode=RUN"], ["+seed=1", "+hydra.mode=MULTIRUN"]])
def test_the_mode_is_the_same(plain_hydra, overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        with plain_hydra():
            wanted = hydra.get_mode("score", overrides)
        assert hydra.get_mode("score", overrides) == wanted


def test_no_two_get_the_same_config_and_none_an_old_time():
    one, other = composed("train"), composed("train")
    one.model.dropout = 0.75
    one.callbacks.samples = None
    assert described(other) == described(composed("train"))
    kept = [one for one in map(pickle.loads, composing._kept.values()) if one is not None]
    assert len(kept) > 5
    assert all(not getattr(one, "config", one)._metadata.resolver_cache for one in kept)


def test_another_folder_of_configs_is_read_each_time(tmp_path):
    for seed in (1, 2):
        (tmp_path / "train.yaml").write_text(f"seed: {seed}\n")
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            assert compose("train").seed == seed
