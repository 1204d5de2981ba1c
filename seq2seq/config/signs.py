"""Overrides that leave a part out or add one: `GROUP=null`, and keys with `~`, `+`, or without a `+` they need."""

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.config.closed_table import find
from seq2seq.config.contract import PLAIN
from seq2seq.config.invocation import invocation, supposed
from seq2seq.config.moved import new_name
from seq2seq.config.options import choices, defaults, null_by_default, unknown
from seq2seq.config.overrides import parsed, written
from seq2seq.config.own_classes import given_targets, options_of
from seq2seq.config.places import CONF
from seq2seq.config.reserved import refusal
from seq2seq.config.signatures import parameters
from seq2seq.errors import UserError

AUTO = "auto"  # of a part that data choose, whose class is not known yet

_PARTS = ("callbacks", "metrics", "kinds", "recorded")  # tables, of which a part can be left out


def with_null_groups(arguments: Sequence[str]) -> list[str]:
    """The arguments, in which null for a group is its option `none`, or nothing where a script has none by default.

    Raises UserError at a group of which the script needs an option.
    """
    nulls = {text for text in arguments if _is_null_group(text)}
    found = []
    for text in arguments:
        group = text.partition("=")[0]
        if text not in nulls:
            found.append(text)
        elif (CONF / group / "none.yaml").is_file():
            found.append(f"{group}=none")
        elif group not in null_by_default():
            with supposed(invocation().script, [other for other in arguments if other not in nulls]):
                raise UserError(_needed(group, text))
    return found


def refuse_signs(arguments: Sequence[str]) -> None:
    """Raise UserError at a `+` before what is there, and at a `~` before what is not there or is needed."""
    for text in arguments:
        if text.startswith("~"):
            _refuse_deletion(text)
        elif text.startswith("+"):
            key, _, value = text.lstrip("+").partition("=")
            if text.startswith("++") and value.startswith("{"):
                continue  # it takes the place of what is there, and was read so before
            there = key in choices() or (not text.startswith("++") and defaults().get(key) is not None)
            if there:  # what is null there can be added
                raise UserError(f"{text} adds an option that is there: drop the +, as in {text.lstrip('+')}")


def with_own_defaults(arguments: Sequence[str]) -> list[str]:
    """The arguments, in which an option that is left out with `~` has the value that its class gives it.

    Others refer to it, and so it cannot be missing. What a class has no plain value for stays as it is.
    """
    return [_with_own_default(text, given_targets(arguments)) for text in arguments]


def _with_own_default(text: str, given: Mapping[str, Any]) -> str:
    read = parsed(text) if text.startswith("~") else None
    key = str(read.key_or_group) if read is not None else ""
    part, _, name = key.rpartition(".")
    node = defaults().get(part) if key and part not in given else None
    if not isinstance(node, Mapping) or node.get("_target_", AUTO) == AUTO:
        return text
    parameter = parameters(find(node["_target_"], part)).get(name)
    if parameter is None or type(parameter.default) not in (*PLAIN[2:], tuple):
        return text
    return f"{key}={written(key, parameter.default)}"


def needs_plus(key: str) -> str | None:
    """The sentence on an option that a part takes but the config leaves at its default; None for any other key."""
    if refusal(key) or new_name(key):
        return None
    part, _, name = key.rpartition(".")
    given, node = given_targets(invocation().arguments), defaults().get(part)
    own = node.get("_target_", "auto") if isinstance(node, Mapping) else "auto"  # what data choose is not known yet
    target = given.get(part, None if own == "auto" else own)
    if target is None or name not in options_of(target, part, invocation().arguments):
        return None
    return f"{key} is an option of {target} that the config leaves at its default: write +{key}=..."


def _refuse_deletion(text: str) -> None:
    read = parsed(text)
    if read is None:
        return  # Hydra will say why
    key = str(read.key_or_group)
    if key in choices():
        raise UserError(_needed(key, text))
    known = defaults()
    if key not in known:
        raise UserError(unknown(key))
    part: Any = known.get(key.rpartition(".")[0])
    if key.rpartition(".")[0] in _PARTS or (isinstance(part, Mapping) and "_target_" in part):
        return
    raise UserError(
        f"{text} leaves out an option that is needed: give {key}=VALUE, or leave {text} out for its default."
    )


def _needed(group: str, text: str) -> str:
    if group not in choices():
        return unknown(group)
    options = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    if "none" in options:
        return f"{text} leaves out a whole group: write {group}=none."
    return f"{text} leaves out what the script needs: choose one of {group}={', '.join(options)}."


def _is_null_group(text: str) -> bool:
    group, _, value = text.partition("=")
    return value.strip().lower() in ("null", "") and bool(group) and (CONF / group).is_dir()
