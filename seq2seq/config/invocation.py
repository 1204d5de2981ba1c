"""The script that runs and its arguments: those of the process, or those of a call from Python."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Invocation:
    """Name of a script, such as train, the overrides that it is called with, and options that this call cannot give.

    `called` tells whether Python code called, and not a command line.
    """

    script: str
    arguments: tuple[str, ...]
    refused: tuple[str, ...] = ()
    called: bool = False


_running: ContextVar[Invocation | None] = ContextVar("_running", default=None)
_owning: ContextVar[bool] = ContextVar("_owning", default=False)


def invocation() -> Invocation:
    """The invocation that is open here, else that of the process."""
    script, *arguments = sys.argv
    return _running.get() or Invocation(Path(script).stem, tuple(arguments))


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
    return invocation().called


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
    """Take a script and its arguments for those that Python calls, in this thread, for as long as the context is open.

    Refused names default to those of the enclosing call.
    """
    with _taken(
        Invocation(script, tuple(arguments), tuple(invocation().refused if refused is None else refused), called=True)
    ):
        yield


@contextmanager
def supposed(script: str, arguments: Sequence[str]) -> Iterator[None]:
    """Take a script and its arguments for those that run, whoever called what runs, for as long as this is open."""
    with _taken(replace(invocation(), script=script, arguments=tuple(arguments))):
        yield


@contextmanager
def _taken(invocation: Invocation) -> Iterator[None]:
    token = _running.set(invocation)
    try:
        yield
    finally:
        _running.reset(token)
