"""Values that an experiment gives to the options that it chooses, where others are chosen in their place."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from omegaconf import DictConfig, OmegaConf

from seq2seq.config.options import flat, values_under
from seq2seq.config.own_classes import keys_given, values_given
from seq2seq.config.places import CONF

logger = logging.getLogger(__name__)
_OVERRIDE = "override /"


def without_replaced(config: DictConfig, arguments: Sequence[str]) -> DictConfig:
    """The config of a training, without the values of an experiment for options in whose place others are chosen.

    Those have values of their own; in a model what both take stays, such as sizes. What goes is told. A value that was
    given itself stays.
    """
    given = {key: str(value) for key, value in values_given(arguments) if (CONF / key).is_dir()}
    name = given.get("experiment")
    chosen, values = _contents(name)
    replaced = {group for group, option in given.items() if option != chosen.get(group)}
    kept = keys_given(arguments)
    held = [(key, group) for key in values if key not in kept and (group := _replaced_around(key, replaced))]
    if not held:
        return config
    own = values_under("train", {**chosen, **given, "experiment": "none"})
    found, taken = deepcopy(config), defaultdict[str, list[str]](list)
    OmegaConf.set_struct(found, False)
    for key, group in held:
        fits = key in own and (group not in chosen or key.startswith("model."))
        if not fits and _is_in(found, key):  # it may have been left out by hand
            _take(found, key, own)
            taken[group].append(key)
    for group, keys in taken.items():
        choice = f"{group}={given[group]}"
        logger.info("%s: not with %s, for which the experiment %s did not mean it", ", ".join(keys), choice, name)
    return found


def _contents(experiment: str | None) -> tuple[dict[str, str], list[str]]:
    """The options that an experiment of conf/ chooses, by group, and the dotted keys that it gives values."""
    path = CONF / "experiment" / f"{experiment}.yaml"
    if experiment is None or not path.is_file():
        return {}, []
    written: Any = OmegaConf.to_container(OmegaConf.load(path)) or {}
    entries = [entry for entry in written.pop("defaults", []) if isinstance(entry, Mapping)]
    chosen = {str(key).removeprefix(_OVERRIDE): str(option) for entry in entries for key, option in entry.items()}
    return chosen, [key for key, value in flat(written).items() if not isinstance(value, dict)]


def _replaced_around(key: str, replaced: set[str]) -> str | None:
    """The innermost group with another option now that holds a key; None if none does."""
    words = key.split(".")[:-1]
    around = ("/".join(words[:end]) for end in range(len(words), 0, -1))
    return next((group for group in around if group in replaced), None)


def _is_in(config: DictConfig, key: str) -> bool:
    part, _, name = key.rpartition(".")
    node = OmegaConf.select(config, part)
    return isinstance(node, DictConfig) and name in node


def _take(config: DictConfig, key: str, own: Mapping[str, Any]) -> None:
    """Give a key the value that it has of its own, or none, and leave no empty part behind."""
    part, _, name = key.rpartition(".")
    if key in own:
        OmegaConf.update(config, key, own[key])
        return
    del OmegaConf.select(config, part)[name]
    if own.get(part, {}) is None:
        OmegaConf.update(config, part, None)
