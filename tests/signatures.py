"""The check of every signature of the package while tests run: types by beartype, sizes of tensors by jaxtyping.

jaxtyping's import hook decorates all functions and checks arguments twice. Most functions of ours see no tensor: these
get beartype alone, and the others one check within one scope of sizes. That is a third of the suite's time.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import beartype

_scope_of_sizes = jaxtyping.jaxtyped


def checked(part: Any = None, *, typechecker: Any) -> Any:
    """The function, method or property with its signature checked at each call; of a class, a data class's fields."""
    if part is None:
        return functools.partial(checked, typechecker=typechecker)
    if inspect.isclass(part):
        if dataclasses.is_dataclass(part):
            part.__init__ = _checked_function(part.__init__)
        return part
    if isinstance(part, classmethod | staticmethod):
        return type(part)(_checked_function(part.__func__))
    if isinstance(part, property):
        return property(_checked_function(part.fget), part.fset, part.fdel, part.__doc__)
    return _checked_function(part)


def _checked_function(function: Callable) -> Callable:
    if not inspect.isroutine(function):  # what another decorator has made of it
        return function
    types_checked = beartype(function)
    if not any("jaxtyping" in repr(annotation) for annotation in inspect.get_annotations(function).values()):
        return types_checked
    if inspect.isgeneratorfunction(function):  # beartype looks at its arguments later, in the scope of who iterates
        return _scope_of_sizes(function, typechecker=beartype)

    @functools.wraps(function)
    def sizes_checked(*arguments: Any, **options: Any) -> Any:
        with _scope_of_sizes("context"):
            return types_checked(*arguments, **options)

    return sizes_checked


jaxtyping.jaxtyped = checked
