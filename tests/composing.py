"""Hydra composing the same configs sooner: the suite does so a thousand times, from files that stay as they are.

Of a search path that has been seen, files and what is merged of them are remembered; names in lists of defaults are
resolved only where there are some; and the config is not composed once more to ask it for the mode. `plain_hydra` is
Hydra as it is. Processes that tests start have nothing of this.
"""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra

from seq2seq.config.places import CONF

_PLACES = {
    "load_config": ConfigRepository,
    "_compose_config_from_defaults_list": ConfigLoaderImpl,
    "get_mode": Hydra,
    "_create_interpolation_map": defaults_list,
}
_PLAIN: dict[str, Callable] = {name: getattr(place, name) for name, place in _PLACES.items()}
_kept: dict[Any, bytes] = {}


def _remembered(key: tuple, make: Callable[[], Any]) -> Any:
    """A value of its own for everyone who asks: who gets it may change it."""
    if key not in _kept:
        _kept[key] = pickle.dumps(make(), pickle.HIGHEST_PROTOCOL)
    return pickle.loads(_kept[key])


def _sources(repository: Any) -> tuple[str, ...] | None:
    """The search path; None if it has folders of configs beside ours, which tests write to."""
    paths = tuple(source.path for source in repository.get_sources())
    ours = all(path in (str(CONF), "hydra.conf", "") for path in paths)
    return paths if ours else None


def _load_config(self: ConfigRepository, config_path: str) -> Any:
    def plain() -> Any:
        return _PLAIN["load_config"](self, config_path=config_path)

    sources = _sources(self)
    return _remembered((sources, config_path), plain) if sources else plain()


def _compose(self: ConfigLoaderImpl, defaults: list, repo: Any) -> Any:
    def plain() -> Any:
        config = _PLAIN["_compose_config_from_defaults_list"](self, defaults=defaults, repo=repo)
        config._metadata.resolver_cache.clear()  # of the time as it was
        return config

    sources = _sources(repo)
    return _remembered((sources, repr(defaults)), plain) if sources else plain()


def _get_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    if any("hydra" in text.partition("=")[0] for text in overrides):
        return _PLAIN["get_mode"](self, config_name, overrides)
    return None  # no config of ours has one


def _interpolation_map(overrides: Any, found: list, self_added: bool) -> Any:
    if any(default.is_interpolation() for default in found if not default.is_self()):
        return _PLAIN["_create_interpolation_map"](overrides, found, self_added)
    return None


_SOONER = {
    "load_config": _load_config,
    "_compose_config_from_defaults_list": _compose,
    "get_mode": _get_mode,
    "_create_interpolation_map": _interpolation_map,
}


def _use(functions: dict[str, Callable]) -> None:
    for name, function in functions.items():
        setattr(_PLACES[name], name, function)


@pytest.fixture
def plain_hydra() -> Callable:
    """A context in which Hydra is as it is."""

    @contextmanager
    def plain() -> Iterator[None]:
        _use(_PLAIN)
        yield
        _use(_SOONER)

    return plain


_use(_SOONER)
