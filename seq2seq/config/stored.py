"""The config of a run that is continued, with what may be changed of it."""

import datetime
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from seq2seq.config.closed_table import find
from seq2seq.config.contract import check_plain, plain
from seq2seq.config.moved import new_name, up_to_date
from seq2seq.config.options import did_you_mean, flat
from seq2seq.config.overrides import parsed
from seq2seq.config.own_choices import own_choices, stored_places
from seq2seq.config.places import CONF
from seq2seq.config.reserved import refusal
from seq2seq.config.signatures import parameters
from seq2seq.errors import UserError
from seq2seq.whole_file import write_whole

# Options that take effect when a run is continued with other values.
CHANGEABLE = (
    "budget.*",
    "saving.*",
    "precision",
    "threads",
    "freeze",
    "freeze_steps",
    "on_divergence",
    "max_rollbacks",
    *(f"data.{name}" for name in ("train", "dev", "test", "require_test")),
    *(f"batches.{name}" for name in ("max_tokens", "max_sentences", "max_length", "pool_batches")),
    *(f"{part}.*" for part in ("optimizer", "schedule", "objective", "scheduled_sampling")),
    *(f"averaging.{name}" for name in ("decay", "start", "patience", "monitor", "mode")),
    *(f"{part}.*" for part in ("gradients", "gradient_noise", "decoding", "callbacks", "trainer")),
    "model*dropout",
    "model.checkpointing",
    "model.*.regularization.*",
)
_ACCEPTED = "data.changed"  # of one start alone, and so in no stored config
_OF_A_START = ("from", "find_lr", "lr_finder", "sizing")  # what a run that goes on has no use for
_RECORD = "changes.yaml"
_FEW = 3  # options of a group that a run may have been trained with, for all of them to be named
_SHOWN = (
    "budget, saving, data.train, data.dev, data.test, optimizer, schedule, objective, gradients, gradient_noise, "
    "scheduled_sampling, averaging, sizes of batches, dropout, decoding, callbacks, trainer, "
    "on_divergence, precision and threads"
)


def continued(stored: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The plain config of a run with overrides of single values on top.

    Raises UserError at an override of what cannot change, or that the stored config does not know.
    """
    config: Any = OmegaConf.create(stored)
    for text in overrides:
        found = parsed(text)
        if found is None:
            raise UserError(f"The override {text!r} cannot be read: give key=value.")
        for key in _places(found, flat(stored), text):
            OmegaConf.update(config, key, found.value(), force_add=True)
    return plain(config)


def with_changes(stored: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The config of a checkpoint with the changes that its folder has recorded since.

    A folder may come from anywhere, so they are held to what may change, as plain values. Raises UserError at others.
    """
    record = folder / _RECORD
    entries = recorded(folder)
    if not entries:
        return stored
    config: Any = OmegaConf.create(stored)
    values = [change for entry in entries for change in _changes(entry)]
    for key, value in values:
        if not isinstance(key, str) or not _can_change(key):
            raise UserError(f"{record} must hold what can change in a run, but {key!r} cannot: remove it there.")
        check_plain(f"{record}: {key}", value)
        OmegaConf.update(config, key, value, force_add=True)
    return plain(config)


def recorded(folder: Path) -> list[dict[str, Any]]:
    """Entries of a folder's changes.yaml, each of one start. Raises UserError if it cannot be read."""
    record = folder / _RECORD
    if not record.is_file():
        return []
    try:
        found: Any = OmegaConf.to_container(OmegaConf.load(record), resolve=False)
        entries = [entry for entry in found if _changes(entry) or entry]
    except Exception as error:  # whatever a damaged file makes of YAML's reader
        raise UserError(f"{record} cannot be read ({type(error).__name__}): mend it, or remove it.") from None
    return entries


def _changes(entry: Any) -> list[tuple[str, Any]]:
    """Keys that an entry changes, each with its new value."""
    return [(key, change["to"]) for key, change in entry["changed"].items()]


def add_to_record(folder: Path, entry: dict[str, Any]) -> None:
    """Add an entry, behind its date, to a folder's changes.yaml."""
    record = folder / _RECORD
    earlier = record.read_bytes() if record.is_file() else b""
    dated = {"date": f"{datetime.datetime.now():%Y-%m-%d %H:%M:%S}", **entry}
    write_whole(record, earlier + OmegaConf.to_yaml([dated]).encode())


def record_changes(folder: Path, before: dict[str, Any], config: dict[str, Any]) -> None:
    """Write the config that a run goes on with into its folder, and add what is changed to changes.yaml there."""
    known = flat(before)
    changed = {
        key: {"from": known.get(key), "to": value}
        for key, value in flat(config).items()
        if not isinstance(value, dict) and known.get(key) != value
    }
    if changed:
        add_to_record(folder, {"changed": changed})
        write_whole(folder / "config.yaml", OmegaConf.to_yaml(config).encode())


def edited(folder: Path, config: dict[str, Any]) -> list[str]:
    """Keys at which a folder's config.yaml is not the config that its run goes on with."""
    try:
        shown: Any = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"), resolve=False)
        if not isinstance(shown, dict):
            return [f"all of it (a {type(shown).__name__})"]
        there, here = flat(up_to_date(shown)), flat(config)
    except Exception as error:  # whatever a damaged file makes of YAML's reader
        return [f"all of it ({type(error).__name__})"]
    differing = [key for key in sorted(there.keys() | here.keys()) if there.get(key) != here.get(key)]
    return [key for key in differing if not any(other.startswith(f"{key}.") for other in differing)]


def _places(override: Override, stored: dict[str, Any], text: str) -> list[str]:
    """The keys of the stored config that an override changes."""
    key = override.key_or_group
    if key == _ACCEPTED and not override.is_delete() and not override.is_sweep_override():
        return [key]
    if refused := refusal(key):
        raise UserError(refused)
    if key.partition(".")[0] in _OF_A_START:
        raise UserError(f"{key} is for a new run, but is given with resume=true: leave one of them out.")
    if renamed := new_name(key):
        raise UserError(f"The option {key!r} does not exist: did you mean {renamed!r}?")
    if (CONF / key).is_dir() and not override.is_delete():
        _refuse_another(key, override.value(), stored, text)
        return []
    part = isinstance(stored.get(key), dict) and not (key.startswith("callbacks.") and override._value is None)
    if override.is_delete() or override.is_sweep_override() or part:
        raise UserError(
            f"resume=true continues the run as it was: {text} would replace a whole part of it: leave it out, or start "
            "a new run."
        )
    places = stored_places(key, stored) or ([key] if _is_option(key, stored) else [])
    if not places:
        raise UserError(f"The option {key!r} does not exist{did_you_mean(key, list(stored))}")
    if not _can_change(key) and any(stored.get(place) != override.value() for place in places):
        raise UserError(
            f"{key} cannot change in a run that is continued with resume=true: leave it out, or start a new run; "
            f"what can change is {_SHOWN}."
        )
    return places


def _refuse_another(group: str, option: Any, stored: dict[str, Any], text: str) -> None:
    """Raise UserError at an option of a group that is not the one which the run was trained with."""
    own = own_choices(group, stored)
    if option not in own:
        names = " or ".join(f"{group}={name}" for name in own)
        trained = f"it was trained with {names}; " if 1 <= len(own) <= _FEW else ""
        raise UserError(
            f"{text} cannot change in a run that is continued with resume=true: {trained}leave it out, or start a new "
            "run."
        )


def _can_change(key: str) -> bool:
    return any(fnmatch(key, pattern) for pattern in CHANGEABLE)


def _is_option(key: str, stored: dict[str, Any]) -> bool:
    """Tell whether a key is in the stored config, or is one of those that its part takes and leaves at the default."""
    part, _, name = key.rpartition(".")
    node = stored.get(part)
    target = node.get("_target_") if isinstance(node, dict) else None
    return key in stored or (target is not None and name in parameters(find(target, part)))
