"""Methods of a module, replaced while a context lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def replaced(module: nn.Module, **changes: Callable[[Any], Any]) -> Iterator[None]:
    """A context in which methods of a module are what changes make of them; at the end they are those of before."""
    own = vars(module)
    before = {name: own[name] for name in changes if name in own}  # of a context around this one
    try:
        # What an instance has of its own hides the method of its class.
        own.update({name: change(getattr(module, name)) for name, change in changes.items()})
        yield
    finally:
        for name in changes:
            own.pop(name, None)
        own.update(before)
