"""Classes that arguments put in the place of a part by its `_target_`, and what of the part then stays."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from inspect import Parameter
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from seq2seq.config.closed_table import find, trusted, trusting
from seq2seq.config.overrides import parsed
from seq2seq.config.places import CONF
from seq2seq.config.signatures import CONTROL, parameters
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)
TABLES = ("callbacks", "metrics", "kinds", "logger")  # of parts by name, each with a class
_TARGET = "._target_"
_WHOLE = ("model", "trainer")  # of which what trains reads every option by name


def given_targets(arguments: Sequence[str]) -> dict[str, Any]:
    """The classes that arguments name, by the path of the part whose place they take."""
    found = {}
    for key, value in values_given(arguments):
        if key.endswith(_TARGET):
            found[key.removesuffix(_TARGET)] = value
        elif isinstance(value, Mapping) and "_target_" in value:
            found[key] = value["_target_"]
    return found


def without_leftovers(config: DictConfig, arguments: Sequence[str]) -> DictConfig:
    """The config, in which a part whose class was given by `_target_` keeps those options that this class takes.

    They were those of the class in whose place it is: what is kept of them, and what is not, is told. What was given
    itself stays, to be refused by name.
    """
    found, given = config, keys_given(arguments)
    for part, target in given_targets(arguments).items():
        node, takes = OmegaConf.select(config, part), options_of(target, part, arguments)
        if part in _WHOLE or not _is_choice(part) or not isinstance(node, DictConfig) or not takes:
            continue
        values = cast(dict[Any, Any], OmegaConf.to_container(node))
        own = {str(name): value for name, value in values.items() if name not in CONTROL}
        inherited = {name: value for name, value in own.items() if f"{part}.{name}" not in given}
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values())
        left_out = [] if open_ended else sorted(inherited.keys() - takes.keys())
        if left_out:
            found = deepcopy(config) if found is config else found
            OmegaConf.set_struct(found, False)
            for name in left_out:
                del OmegaConf.select(found, part)[name]
        _tell(f"{part}: {target}", _kept(inherited, takes, left_out), left_out)
    return found


def _kept(inherited: Mapping[str, Any], takes: Mapping[str, Parameter], left_out: Sequence[str]) -> list[str]:
    """Values that a class gets from what stood in its place, where it would have others by itself."""
    kept = []
    for name, value in inherited.items():
        own = takes[name].default if name in takes else Parameter.empty
        if name not in left_out and value != own and not isinstance(value, Mapping) and "${" not in str(value):
            kept.append(f"{name}={value}" + ("" if own is Parameter.empty else f" (its own: {own})"))
    return kept


def _tell(whose: str, kept: Sequence[str], left_out: Sequence[str]) -> None:
    """Tell what a class keeps of what stood in its place, and what not, in one line."""
    said = [f"keeps {', '.join(kept)}"] if kept else []
    said += [f"does not take {', '.join(left_out)}"] if left_out else []
    if said:
        logger.info("%s %s of what stood there", whose, ", and ".join(said))


def refuse_classes_of_tables(arguments: Sequence[str]) -> None:
    """Raise UserError at a class in the place of a table of parts, each of which has a name."""
    for part, target in given_targets(arguments).items():
        if part in TABLES:
            raise UserError(f"{part} holds parts by name, and is none itself: write {_added(f'{part}.own', target)}.")


def class_to_add(key: str, arguments: Sequence[str], known: Mapping[str, Any]) -> str | None:
    """The sentence on a class for a part that the known values do not hold: what to write. None for any other key."""
    part, target = key.removesuffix(_TARGET), given_targets(arguments).get(key.removesuffix(_TARGET))
    if key in known or target is None or not _is_choice(part) or part in TABLES:
        return None
    argument = _added(part, target, plus="" if known.get(part) else "+")  # a word is there, such as auto
    return f"{part} is not there for a class to take its place: write {argument}."


def options_of(target: Any, part: str, arguments: Sequence[str]) -> Mapping[str, Parameter]:
    """The options that a class takes, by name, with trust as arguments have it; none where it cannot be found."""
    packages = [value for key, value in values_given(arguments) if key == "trust"]
    with suppress(UserError), trusting(packages[-1] if packages else trusted()):  # the check of the config says why
        return parameters(find(target, part))
    return {}


def keys_given(arguments: Sequence[str]) -> set[str]:
    """Dotted keys that arguments give values, those of groups among them, and the parts that hold them."""
    keys = set()
    for key, value in values_given(arguments):
        own = [f"{key}.{name}" for name in value] if isinstance(value, Mapping) else []
        for path in [key.replace("/", "."), *own]:
            words = path.split(".")
            keys |= {".".join(words[: end + 1]) for end in range(len(words))}
    return keys


def values_given(arguments: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The keys that arguments give values, and these; sweeps and what is left out have none."""
    for text in arguments:
        read = parsed(text) if "=" in text else None
        if read is not None and not read.is_delete() and not read.is_sweep_override():
            yield str(read.key_or_group), read.value()


def _is_choice(part: str) -> bool:
    """Tell whether a part is one of several kinds, which conf/ has a group of, or one of a table."""
    return part.rpartition(".")[0] in TABLES or (CONF / part.replace(".", "/")).is_dir()


def _added(part: str, target: Any, plus: str = "+") -> str:
    """The argument that adds a part of a class, which waits for more where those of its group do."""
    group = part.rpartition(".")[0] if part.rpartition(".")[0] in TABLES else part
    files = (CONF / group.replace(".", "/")).glob("*.yaml")
    waits = any("_partial_: true" in path.read_text(encoding="utf-8") for path in files)
    if plus and not waits:
        return f"+{part}{_TARGET}={target}"
    return f"'{plus}{part}={{_target_:{target}{',_partial_:true' if waits else ''}}}'"
