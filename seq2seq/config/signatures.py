"""The signature of a constructor as the schema of what a config may hold for it."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

CONTROL = ("_target_", "_partial_")  # keys that say what to do with a node, and are no options of its target


def parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Parameters that a constructor takes from a config, by name; `options` is replaced by its own fields."""
    found: dict[str, inspect.Parameter] = {}
    for name, parameter in signature(target).parameters.items():
        found |= signature(parameter.annotation).parameters if name == "options" else {name: parameter}
    return found


@lru_cache(1000)
def signature(target: Callable[..., Any]) -> inspect.Signature:
    """The signature of a constructor, read once: a config is checked many times."""
    return inspect.signature(target)
