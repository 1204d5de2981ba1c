"""Changes that a script makes to a part of the config that a run was trained with."""

from collections.abc import Mapping
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from seq2seq.config.closed_table import find
from seq2seq.config.signatures import parameters
from seq2seq.errors import UserError


def leave_open(part: str) -> None:
    """Store a config `open_PART`, for the defaults of a script that learns the keys of that part from a run only.

    Whoever chooses `metrics.translation.tokenize=zh` then needs no `+`; `changed` looks whether the run has it.
    """
    ConfigStore.instance().store(
        f"open_{part}", OmegaConf.create({part: OmegaConf.create({}, flags={"struct": False})})
    )


def with_own_data(config: Mapping[str, Any], given: Mapping[str, Any], file: str | None) -> dict[str, Any]:
    """The config of a run with its data as a script's config has them, for data that have moved.

    Values given are put into the run's own node; one given with a `_target_` takes its place. Raises UserError at
    values beside a file, which would have no effect, and at a name that the run's data do not take.
    """
    if given and file is not None:
        raise UserError(
            f"data.{next(iter(given))} has no effect where there is a file, but is given beside file={file}: give one."
        )
    if "_target_" in given:
        return {**config, "data": dict(given)}
    own = config["data"]
    known = [name for name in parameters(find(own.get("_target_"), "data")) if name != "held_out_below"]
    for name in given:
        if name not in known:
            raise UserError(f"data.{name} must be one of the run's, {', '.join(known)}: choose others by data=OPTION.")
    return {**config, "data": {**own, **given}}


def changed(part: str, own: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes of a run's part as a script's config has them.

    Nodes given with a `_target_` take the place of the run's own; the other values given are put into these, and null
    leaves one out. Raises UserError at a name that they do not have, and where none is left or `own` is no mapping.
    """
    if not isinstance(own, Mapping):
        raise UserError(f"{part} of the run must be a mapping, but is {own!r}.")
    chosen = {name: node for name, node in given.items() if isinstance(node, Mapping) and "_target_" in node}
    nodes = chosen or dict(own)
    for name, node in given.items():
        if name not in nodes:
            owner = "those chosen" if chosen else "the run's"
            raise UserError(
                f"{part}.{name} must be one of {owner}, {', '.join(nodes)}: choose others by {part}=OPTION."
            )
        if not isinstance(nodes[name], Mapping):
            raise UserError(f"{part}.{name} of the run must be a mapping, but is {nodes[name]!r}.")
        if not isinstance(node, Mapping | None):
            raise UserError(f"{part}.{name} must hold options or be null, but is {node!r}: give {part}.{name}.OPTION.")
        if name not in chosen and node is not None:
            nodes[name] = {**nodes[name], **node}
    left = {name: node for name, node in nodes.items() if given.get(name, node) is not None}
    if not left:
        raise UserError(f"{part} must keep one of {', '.join(nodes)}: do not leave out all of them.")
    return left
