"""Build objects from a plain config; a user's mistake is told by the config path of the option."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from seq2seq.config.contract import check_node, check_plain
from seq2seq.config.places import CONF
from seq2seq.config.signatures import CONTROL, parameters, signature
from seq2seq.errors import UserError


class _PlacedError(UserError):
    """An error that names its option by config path already."""


def build(node: Any, path: str) -> Any:
    """The object that a node of a plain config describes; its children are built first.

    A mapping with `_target_` is called with its other keys, or with `_partial_` becomes a callable that waits for more.
    Targets are those of the table alone, and values those of `contract.PLAIN`: a config may come from anywhere, so this
    walk checks what it builds and builds nothing else. Raises UserError by the config path at anything else, and where
    a target does so by its parameter, at once or when it is called later.
    """
    if type(node) is list:
        return [build(item, f"{path}[{number}]") for number, item in enumerate(node)]
    check_plain(path, node)
    if type(node) is not dict:
        return node
    target = check_node(path, node) if "_target_" in node else None
    options = {key: build(value, f"{path}.{key}") for key, value in node.items() if key not in CONTROL}
    if target is None:
        return options
    made = partial(_made, path, target, options)
    return made if node.get("_partial_") else made()


def _made(path: str, target: Callable[..., Any], options: Mapping[str, Any], /, *given: Any, **more: Any) -> Any:
    with told_at(path, target):
        if both := sorted(options.keys() & more.keys()):
            raise _PlacedError(f"{as_overridden(path)}.{both[0]} is set by the script: leave it out.")
        if not given:
            _refuse_missing(path, target, {**options, **more})
        return call(target, *given, **{**options, **more})


def _refuse_missing(path: str, target: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise UserError if options that a target cannot do without are missing: a config may come from anywhere."""
    for name, parameter in parameters(target).items():
        variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not variable and name not in options:
            raise _PlacedError(f"{as_overridden(path)}.{name} must be given, but is missing.")


def call(target: Callable[..., Any], /, *given: Any, **options: Any) -> Any:
    """The object that a target makes of the keywords.

    Where it takes `options`, those keywords that are fields of that parameter's class are passed as one object of it.
    """
    taken = signature(target).parameters.get("options")
    if taken is None:
        return target(*given, **options)
    fields = signature(taken.annotation).parameters
    own = {name: value for name, value in options.items() if name not in fields}
    value = taken.annotation(**{name: value for name, value in options.items() if name in fields})
    return target(*given, options=value, **own)


@contextmanager
def told_at(path: str, target: Callable[..., Any]) -> Iterator[None]:
    """Tell mistakes in parameters of a target as options below a config path, for as long as the context is open.

    What a target of another library raises becomes a UserError, too: its options are the user's.
    """
    try:
        yield
    except _PlacedError:
        raise
    except UserError as error:
        name = re.match(r"(\w+)[ =]", str(error))
        known = name is not None and name[1] in parameters(target)
        raise _PlacedError(f"{as_overridden(path)}.{error}" if known else str(error)) from error
    except Exception as error:
        if target.__module__.partition(".")[0] == "seq2seq":
            raise  # a fault of ours, which its traceback shows
        raise _PlacedError(f"{as_overridden(path)} cannot be built: {' '.join(str(error).split())}") from error


def as_overridden(path: str) -> str:
    """The path that a user overrides: encoder and decoder have copies of the parts that are chosen for the model."""
    part = re.match(r"model\.(?:encoder\.input|encoder|decoder)\.(\w+)", path)
    return f"model.{part[1]}{path[part.end() :]}" if part and (CONF / "model" / part[1]).is_dir() else path
