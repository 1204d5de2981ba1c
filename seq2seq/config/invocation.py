"""The script that runs and its arguments: those of the process, or those of a call from Python."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Invocation:
    """Name of a script, such as train, the overrides that it is called with, and options that this call cannot give."""

    script: str
    arguments: tuple[str, ...]
    refused: tuple[str, ...] = ()


_called: ContextVar[Invocation | None] = ContextVar("_called", default=None)
_owning: ContextVar[bool] = ContextVar("_owning", default=False)


def invocation() -> Invocation:
    """The invocation that is open here, else that of the process."""
    script, *arguments = sys.argv
    return _called.get() or Invocation(Path(script).stem, tuple(arguments))


def owns_process() -> bool:
    """Tell whether the process is a script's own, so that nobody misses it if it ends at once."""
    return _owning.get() and not is_called()


@contextmanager
def owning_process() -> Iterator[None]:
    """Take the process for a script's own, for as long as the context is open."""
    token = _owning.set(True)
    try:
        yield
    finally:
        _owning.reset(token)


def is_called() -> bool:
    """Tell whether Python code called, and not a command line."""
    return _called.get() is not None


def spelled(key: str) -> str:
    """The dotted key as whoever calls writes it: of Python, a keyword."""
    return key.replace(".", "__") if is_called() and "/" not in key else key


def choice_of(group: str, option: str) -> str:
    """The choice of an option of a group, or of a key, as whoever calls writes it: of Python, an argument of a call."""
    if not is_called():
        return f"{group}={option}"
    return f"**{ {group: option} }" if "/" in group else f"{spelled(group)}={option!r}"


@contextmanager
def invoked(script: str, arguments: Sequence[str], refused: Sequence[str] | None = None) -> Iterator[None]:
    """Take a script and its arguments for those that run, in this thread, for as long as the context is open.

    Refused names default to those of the enclosing call.
    """
    token = _called.set(
        Invocation(script, tuple(arguments), tuple(invocation().refused if refused is None else refused))
    )
    try:
        yield
    finally:
        _called.reset(token)
