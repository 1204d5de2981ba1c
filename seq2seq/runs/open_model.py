"""A model that a config leaves to the data, made a plain one."""

import copy
from typing import Any

from omegaconf import OmegaConf

from seq2seq.config.builder import as_overridden
from seq2seq.config.closed_table import find
from seq2seq.config.places import CONF
from seq2seq.config.signatures import CONTROL, parameters
from seq2seq.errors import UserError
from seq2seq.runs.model_kinds import AUTO
from seq2seq.runs.rules import Option

ATTENTION, TRANSDUCER = "gnmt", "transducer"
NAMES = (ATTENTION, TRANSDUCER)


def with_model(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The config with the model of a name in the place of one that is left open.

    What is given stays; what is not is as that model has it. Raises UserError at a given option that it lacks.
    """
    own, left_open = _read(name), _read(AUTO)
    node = copy.deepcopy(config["model"])
    decoder = _as(node["decoder"], own["decoder"], left_open["decoder"], name, "model.decoder")
    for part, option in _parts(own).items():
        if part in decoder and decoder[part] is None and option != "none":
            decoder[part] = Option(f"model/{part}", option).node()
    return {**config, "model": _as({**node, "decoder": decoder}, own, left_open, name, "model")}


def _as(node: dict[str, Any], own: dict[str, Any], left_open: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    """The node with its target and what is left at auto as another has them, without what that lacks."""
    known, usual = parameters(find(own["_target_"], path)), {*own, *_parts(own)}
    found = {}
    for key, value in node.items():
        given = value != _off(left_open.get(key))
        if key in CONTROL or (key in known and (given or key in usual)):
            found[key] = own[key] if value == left_open.get(key) == AUTO else value
        elif given:
            shown = "" if isinstance(value, dict) else f"={value}"
            raise UserError(f"{as_overridden(f'{path}.{key}')}{shown} is no option of model={name}.")
    return found


def _off(value: Any) -> Any:
    """The value of an option that nobody gave."""
    return None if isinstance(value, str) and value.startswith("${") else value


def _parts(own: dict[str, Any]) -> dict[str, str]:
    """Options that a model's file chooses for its parts."""
    return {
        key: option for entry in own.get("defaults", []) if isinstance(entry, dict) for key, option in entry.items()
    }


def _read(name: str) -> dict[str, Any]:
    found: Any = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml"), resolve=False)
    return dict(found)
