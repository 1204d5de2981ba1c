"""The check of every signature of the package while tests run: types by beartype, sizes of tensors by jaxtyping.

jaxtyping's import hook decorates all functions and checks arguments twice. Most functions of ours see no tensor: these
get beartype alone, and the others one check within one scope of sizes. That is a third of the suite's time. A tensor
that fits a plain shape, `batch source size`, is told so here, sooner; all else is left to jaxtyping, with its messages.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import beartype
from jaxtyping import _array_types, _storage
from torch import Tensor
from torch.compiler import is_exporting

_scope_of_sizes = jaxtyping.jaxtyped
_is_array = _array_types._MetaAbstractArray.__instancecheck__


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
        if is_exporting():  # sizes that are open are neither numbers nor equal to any
            return function(*arguments, **options)
        _storage.push_shape_memo({})
        try:
            return types_checked(*arguments, **options)
        finally:
            _storage.pop_shape_memo()

    return sizes_checked


@functools.cache
def _names(shape: Any) -> list[str] | None:
    """The names of the axes of a tensor's type; None where one is anything but a name."""
    named = all(type(axis) is _array_types._NamedDim and not axis.treepath for axis in shape.dims)
    plain = shape.array_type is Tensor and named and not any(axis.broadcastable for axis in shape.dims)
    return [axis.name for axis in shape.dims] if plain else None


@functools.cache
def _holds(shape: Any, dtype: Any) -> bool:
    return shape.dtypes is _array_types._any_dtype or repr(dtype).rpartition(".")[2] in shape.dtypes


def _fits(shape: Any, value: Any) -> bool:
    names = _names(shape)
    if names is None or not isinstance(value, Tensor) or value.dim() != len(names) or not _holds(shape, value.dtype):
        return _is_array(shape, value)
    known, found = _storage.get_shape_memo()[0], {}
    for name, size in zip(names, value.shape, strict=True):
        if known.get(name, size) != size or found.setdefault(name, size) != size:
            return _is_array(shape, value)
    known.update(found)
    return True


_array_types._MetaAbstractArray.__instancecheck__ = _fits

jaxtyping.jaxtyped = checked
