"""The closed table of what a config can build: nothing else is looked up, whoever wrote the config."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import isclass, isfunction
from typing import Any

from hydra.utils import get_object

from seq2seq.config.buildable import TABLE
from seq2seq.errors import UserError

_trusted: ContextVar[tuple[str, ...]] = ContextVar("_trusted", default=())


@contextmanager
def trusting(packages: Any) -> Iterator[None]:
    """Build classes of these packages, or of this one, too, for as long as the context is open.

    Whoever runs a command names them, from the working folder or installed; no file can. Raises UserError at a name
    that is no package of the user's.
    """
    names = list(packages) if isinstance(packages, Sequence) and not isinstance(packages, str) else [packages]
    for name in names:
        if not isinstance(name, str) or not _can_be_trusted(name):
            raise UserError(f"trust must hold names of packages with classes of your own, but holds {name!r}.")
    if names and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a script's own folder stands there instead
    for name in names:
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            raise UserError(
                f"trust must hold packages that can be imported, but {name!r} is none: install it, or run the command "
                "in the folder that it is in."
            )
    token = _trusted.set(tuple(names))
    try:
        yield
    finally:
        _trusted.reset(token)


def trusted() -> tuple[str, ...]:
    """Names of the packages that the command under way was told to trust."""
    return _trusted.get()


def find(target: Any, path: str) -> Callable[..., Any]:
    """The class of a name in the table, or in a package that is trusted; `path` is where a config names it.

    Raises UserError at any other name, before anything is imported.
    """
    if isinstance(target, str) and target in TABLE:
        return get_object(target)
    return _own(target, path, isclass, f"{path} must be built by seq2seq, but its _target_ is {target!r}")


def find_function(name: str, option: str) -> Callable[..., Any]:
    """The function of a dotted name, in a package that is trusted; `option` is where it is named.

    Raises UserError at any other name, before anything is imported.
    """
    return _own(name, option, isfunction, f"{option} must be of packages that are trusted, but has {name}")


def _own(name: Any, path: str, is_kind: Callable[[Any], bool], untrusted: str) -> Callable[..., Any]:
    """Object that a package of the user's has under a name. Raises UserError where it is not of that package itself."""
    package = name.partition(".")[0] if isinstance(name, str) else ""
    if package not in _trusted.get():
        advice = f": if it is of your own code, add trust=[{package}]." if _can_be_trusted(package) else "."
        raise UserError(untrusted + advice)
    try:
        found = get_object(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{path} has {name}, which cannot be found: {str(error).splitlines()[0]}") from None
    if not is_kind(found) or found.__module__.partition(".")[0] != package:
        kinds = "classes" if is_kind is isclass else "functions"
        raise UserError(f"{path} must name {kinds} of {package} itself, but {name} is none.")
    return found


def _can_be_trusted(package: str) -> bool:
    return package.isidentifier() and package not in {*sys.stdlib_module_names, "seq2seq"}
