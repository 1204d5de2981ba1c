"""Options of conf/ that a stored config was made with, as far as it shows."""

import re
from functools import cache
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from seq2seq.config.options import flat
from seq2seq.config.places import CONF


def own_choices(group: str, stored: dict[str, Any]) -> list[str]:
    """Names of the options of a group that flat stored values can come from; several where these do not tell.

    Classes have to be the same. Of options that share them it is the one that agrees in most values, as single values
    may have been given otherwise.
    """
    scores = _possible(group, stored)
    return [option for option, score in scores.items() if score == max(scores.values())]


def _possible(group: str, stored: dict[str, Any]) -> dict[str, int]:
    """Options of a group that stored values can come from, with the number of values that agree."""
    scores = {path.stem: _agreeing(group, path.stem, stored) for path in sorted((CONF / group).glob("*.yaml"))}
    return {option: score for option, score in scores.items() if score is not None}


def stored_places(key: str, stored: dict[str, Any]) -> list[str]:
    """The keys that an option of the model is stored at: both sides have copies of what is chosen for the model."""
    model, _, name = key.partition(".")
    sides = [f"model.{side}.{name}" for side in ("encoder", "encoder.input", "decoder")] if model == "model" else []
    own = [key] if key in stored else []
    return own + [side for side in sides if side in stored and (not own or stored[side] == stored[key])]


def _agreeing(group: str, option: str, stored: dict[str, Any]) -> int | None:
    """Count the values of an option that are stored; None where the stored config cannot come from it."""
    values, parts = _contents(group, option)
    if any(own not in _possible(part, stored) for part, own in parts.items()):
        return None
    count = 0
    for key, value in values.items():
        found = [stored[place] for place in stored_places(key, stored)]
        same = bool(found) and all(one == value for one in found)
        part = key.removesuffix("._target_")
        switched_off = part != group.replace("/", ".") and stored.get(part, part) is None
        decides = (part != key and not switched_off) or (value is None and any(isinstance(one, dict) for one in found))
        if decides and not same:
            return None
        count += same
    return count


@cache
def _contents(group: str, option: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Values of an option by dotted key of the whole config, and the options of other groups that it chooses."""
    path = CONF / group / f"{option}.yaml"
    node = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(path), resolve=False))
    defaults = node.pop("defaults", [])
    values: dict[str, Any] = {}
    parts: dict[str, str] = {}
    for entry in defaults:
        if isinstance(entry, str) and entry != "_self_":
            values |= _contents(group, entry)[0]
        elif isinstance(entry, dict):
            chosen = {str(key).removeprefix("override /"): str(own) for key, own in entry.items()}
            parts |= {part: own for part, own in chosen.items() if group == "experiment"}
    prefix = "" if _is_global(path) else f"{group.replace('/', '.')}."
    own = flat(node, prefix)
    return {key: value for key, value in (values | own).items() if _is_plain(value)}, parts


def _is_global(path: Path) -> bool:
    return bool(re.match(r"# @package _global_", path.read_text(encoding="utf-8")))


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict) and "${" not in str(value) and value != "???"
