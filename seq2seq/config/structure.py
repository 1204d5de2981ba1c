"""Values given where a group of conf/ stands, which takes the name of an option, or a part, which has options."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seq2seq.config.closed_table import find
from seq2seq.config.contract import check_type
from seq2seq.config.invocation import invocation, supposed
from seq2seq.config.options import choices, defaults, null_by_default, unknown
from seq2seq.config.overrides import is_name, parsed, written
from seq2seq.config.places import CONF
from seq2seq.config.signatures import parameters
from seq2seq.errors import UserError, shown

_SPACE = "space"  # whose options are not of the config, but named by their dotted paths
_TABLES = ("callbacks", "metrics", "kinds")  # of parts, each of which null leaves out


def refuse_values_of_groups(arguments: Sequence[str]) -> None:
    """Raise UserError at a group that is given anything but the name of an option, or several."""
    for key, value in _given(arguments):
        names = value if isinstance(value, list) and value else [value]
        if not _is_group(key) or isinstance(value, dict | None) or all(isinstance(name, str) for name in names):
            continue  # a dict holds single values of the option that is chosen
        top = key.partition("/")[0]
        with supposed(invocation().script, ()):  # as its arguments cannot be composed
            if top != "hydra" and top not in choices() and top not in null_by_default():
                raise UserError(unknown(key))
        options = ", ".join(sorted(path.stem for path in (CONF / key).glob("*.yaml"))) or "its options"
        raise UserError(
            f"{key} must be one of {options}, but is {shown(value)}: single values are set as {key.replace('/', '.')}."
            "NAME=VALUE."
        )


def refuse_values_of_parts(arguments: Sequence[str]) -> None:
    """Raise UserError at a part of the config, which has options of its own, that is given another value."""
    for key, value in _given(arguments):
        if isinstance(value, dict) or "${" in str(value) or _is_group(key):
            continue
        known = defaults()
        part, _, name = key.rpartition(".")
        optional = part == "callbacks" or (part in _TABLES and key in known)
        if (optional and value is None) or not (optional or isinstance(known.get(key), dict)):
            continue
        if not _is_taken(known.get(part), part, name, value):
            raise UserError(
                f"{key} must be options of its own{_such_as(key, known)}, but is {shown(value)}{_advice(key)}"
            )


def with_own_options(arguments: Sequence[str]) -> list[str]:
    """The arguments, in which what comes whole takes the place of a part, whatever that one has.

    That is a class with its options, or a space of one's own.
    """
    own = {key for key, value in _given(arguments) if isinstance(value, dict) and "_target_" in value}
    taken = {key for key in own if isinstance(defaults().get(key), dict)}
    found = [f"++{text}" if text.partition("=")[0] in taken else text for text in arguments]
    others = [text for text in found if text.startswith(f"{_SPACE}=") and not _is_space(text)]
    if others and any(map(_is_space, found)):
        raise UserError(f"{others[0]} must not be given beside a space of your own: leave one of them out.")
    return [part for text in found for part in ([f"{_SPACE}=none", f"++{text}"] if _is_space(text) else [text])]


def in_single_values(arguments: Sequence[str]) -> list[str]:
    """The arguments, in which a dict of values of a part, such as `model={dropout:0.1}`, is each of these by itself."""
    return [own for text in arguments for own in _single_values(text)]


def holds_options(key: str, value: Any) -> bool:
    """Tell whether a value holds options of a part, each of which could be given by itself, and is no option's own."""
    if not isinstance(value, Mapping) or not value or "_target_" in value:
        return False
    return defaults().get(key, {}) is not None or key.partition(".")[0] in _TABLES


def _single_values(text: str) -> Iterator[str]:
    read = parsed(text) if "={" in text and not text.startswith(("+", "~", "hydra")) else None
    if read is None or read.is_sweep_override() or _is_space(text):
        yield text
    else:
        for key, value in _flat(read.key_or_group, read.value()):
            if key != read.key_or_group and is_name(key) and type(value) in (int, float, bool):
                raise UserError(f"{key} must be in quotes in a dict, as it is a name, but is read as {value}.")
            yield f"{key}={written(key, value)}"


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if holds_options(key, value):
        for name, own in value.items():
            yield from _flat(f"{key}.{name}", own)
    else:
        yield key, value


def _is_space(text: str) -> bool:
    return text.startswith(f"{_SPACE}={{") and _SPACE in choices()


def _given(arguments: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Keys and values of arguments that Hydra can read; of a sweep, each value for itself."""
    for text in arguments:
        read = parsed(text) if "=" in text else None
        if read is None or read.is_delete():
            continue
        if not read.is_sweep_override():
            yield read.key_or_group, read.value()
        elif read.is_choice_sweep():
            own = (parsed(f"{read.key_or_group}={value}") for value in read.sweep_string_iterator())
            yield from ((one.key_or_group, one.value()) for one in own if one is not None)


def _is_group(key: str) -> bool:
    return "/" in key or (CONF / key).is_dir()


def _is_taken(node: Any, part: str, name: str, value: Any) -> bool:
    """Tell whether what a node builds takes a value where it may take an object: null, or a name."""
    if not isinstance(node, Mapping) or node.get("_target_", "auto") == "auto":
        return False
    parameter = parameters(find(node["_target_"], part)).get(name)
    if parameter is None or parameter.annotation is parameter.empty:
        return False
    try:
        check_type(name, value, parameter.annotation)
    except UserError:
        return False
    return True


def _such_as(key: str, known: Mapping[str, Any]) -> str:
    own = known.get(key)
    names = [name for name in own if not str(name).startswith("_")] if isinstance(own, dict) else []
    return f", such as {key}.{names[0]}=..." if names else ""


def _advice(key: str) -> str:
    group = key.replace(".", "/")
    if (CONF / group).is_dir():
        return f": choose an option of it by {group}=NAME."
    return ": null leaves it out." if key.partition(".")[0] in _TABLES else "."
