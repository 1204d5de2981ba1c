"""A CUDA device that is not there: tensors with shapes, types and devices, but no values, and a list of all waits."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

import seq2seq

CUDA = torch.device("cuda", 0)
PACKAGE = Path(seq2seq.__file__).parent
aten = torch.ops.aten
_READERS: dict[Any, Any] = {
    Tensor.__int__: int,
    Tensor.__index__: int,
    Tensor.__bool__: bool,
    Tensor.__float__: float,
    Tensor.item: lambda x: x,
}


class Waits(TorchDispatchMode):
    """Notes where the host waits for the device, as file:function, and makes up what it would have read.

    Numbers are 6 and 0.5, truths are false; of rows that are looked for, all but the last are found. A copy between
    host and device waits, too, unless it is told not to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        devices = [tensor.device for tensor in pytree.tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)]
        if CUDA not in [*devices, _target(args, kwargs)]:
            return func(*args, **kwargs)
        if func is aten._local_scalar_dense.default:
            self._note()
            return {torch.bool: False}.get(args[0].dtype, 0.5 if args[0].dtype.is_floating_point else 6)
        if func is aten.equal.default:
            self._note()
            return False
        if func is aten.nonzero.default:
            self._note()
            found = torch.arange(max(len(args[0]) - 1, 0), device=args[0].device)
            return found.unsqueeze(1).expand(-1, args[0].dim())
        if func.overloadpacket in (aten._to_copy, aten.to) and _target(args, kwargs) not in (None, args[0].device):
            if not kwargs.get("non_blocking"):
                self._note()
            if not isinstance(args[0], FakeTensor):  # the host's tensors have values
                return torch.empty(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype, device=CUDA)
        if func is aten.convolution.default:  # which asks for a guard while it looks for the fastest kernel
            args = pytree.tree_map_only(Tensor, lambda tensor: torch.empty_like(tensor, device="meta"), args)
            return torch.empty_like(func(*args, **kwargs), device=CUDA)
        if func is aten.index.Tensor or func is aten.index_put_.default:
            places = [place for place in args[1] if place is not None]
            assert all(place.device == args[0].device for place in places), f"{place()}: places are elsewhere"
        return func(*args, **kwargs)

    def _note(self) -> None:
        self.places.add(place())


class Indexing(TorchFunctionMode):
    """Python's ways into tensors, by operators: a torch without CUDA has no guard of its devices for the shortcuts."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.__getitem__:
            return _indexed(*args)
        if func is Tensor.__setitem__:
            tensor, place, value = args
            return _set(tensor, place, value)
        if func in (Tensor.nonzero, torch.nonzero):
            return aten.nonzero.default(*args)
        if func is Tensor.pin_memory:
            return args[0]
        if func is Tensor.__invert__:
            return aten.bitwise_not.default(*args)
        if func in _READERS:
            return _READERS[func](aten._local_scalar_dense.default(args[0]))
        if func is Tensor.tolist:
            return _listed(*args)
        if func is Tensor.to:
            return _moved(*args, **kwargs)
        return func(*args, **kwargs)


@contextmanager
def fake_cuda() -> Iterator[Waits]:
    """A device `cuda` whether there is one or not; what comes back notes the waits for it."""
    waits = Waits()
    with ExitStack() as stack:  # gradients would ask for a guard, too
        for mode in (torch.no_grad(), FakeTensorMode(), waits, Indexing()):
            stack.enter_context(mode)
        yield waits


def on_cuda(module: nn.Module) -> nn.Module:
    """The module with its parameters and buffers, and nothing else, on the device, inside `fake_cuda`."""
    moved: dict[int, Tensor] = {}
    for part in module.modules():
        for kept in (part._parameters, part._buffers):
            for name, tensor in kept.items():
                if tensor is not None:
                    kept[name] = moved.setdefault(id(tensor), _empty_like(tensor))
    for part in module.modules():
        if isinstance(part, nn.RNNBase):
            part._flat_weights = [getattr(part, name) for name in part._flat_weights_names]
        if hasattr(part, "fused"):
            part.fused = False
    return module


def _empty_like(tensor: Tensor) -> Tensor:
    there = torch.empty(tensor.shape, dtype=tensor.dtype, device=CUDA)
    return nn.Parameter(there, requires_grad=False) if isinstance(tensor, nn.Parameter) else there


def place() -> str:
    """The innermost function of the package that is running, as file:function."""
    frame = sys._getframe()
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            return f"{path.relative_to(PACKAGE)}:{frame.f_code.co_qualname.partition('.<locals>')[0]}"
        frame = frame.f_back
    return "a test"


def _target(args: tuple, kwargs: dict[str, Any]) -> torch.device | None:
    """The device that the arguments of an operator name."""
    named = next((one for one in args if isinstance(one, torch.device)), kwargs.get("device"))
    if named is None or torch.device(named).type == "cuda":
        return named and CUDA
    return torch.device(named)


def _moved(tensor: Tensor, *given: Any, **options: Any) -> Tensor:
    for one in given:
        if isinstance(one, Tensor):
            options |= {"device": one.device, "dtype": one.dtype}
        else:
            options["dtype" if isinstance(one, torch.dtype) else "device"] = one
    options.pop("copy", None)
    device = torch.device(options.get("device") or tensor.device)
    if device.type == tensor.device.type and options.get("dtype", tensor.dtype) == tensor.dtype:
        return tensor
    return aten._to_copy.default(tensor, **options)


def _listed(tensor: Tensor) -> Any:
    if tensor.dim() == 0:
        return aten._local_scalar_dense.default(tensor)
    return [_listed(part) for part in tensor.unbind(0)]


def _indexed(tensor: Tensor, place: Any) -> Tensor:
    """What `tensor[place]` is, by operators that need no guard."""
    axis, places = 0, []
    given = place if isinstance(place, tuple) else (place,)
    for number, one in enumerate(given):
        if one is Ellipsis:
            axis = tensor.dim() - sum(other is not None for other in given[number + 1 :])
        elif one is None:
            tensor, axis = tensor.unsqueeze(axis), axis + 1
        elif isinstance(one, slice):
            start, stop, step = slice(*map(_read, (one.start, one.stop, one.step))).indices(tensor.shape[axis])
            tensor, axis = aten.slice.Tensor(tensor, axis, start, stop, step), axis + 1
        elif isinstance(one, int):
            tensor = aten.select.int(tensor, axis, one)
        elif _is_mask(one):
            for column in aten.nonzero.default(one).unbind(1):
                places.append((axis, column))
                axis += 1
        else:
            one = one if isinstance(one, Tensor) else torch.tensor(one, device=tensor.device)
            places.append((axis, one))
            axis += 1
    if not places:
        return tensor
    columns = dict(places)
    return aten.index.Tensor(tensor, [columns.get(axis) for axis in range(max(columns) + 1)])


def _read(bound: Any) -> Any:
    return aten._local_scalar_dense.default(bound) if isinstance(bound, Tensor) else bound


def _is_mask(place: Any) -> bool:
    return isinstance(place, Tensor) and place.dtype == torch.bool


def _set(tensor: Tensor, place: Any, value: Any) -> None:
    given = place if isinstance(place, tuple) else (place,)
    value = value if isinstance(value, Tensor) else torch.full((), value, dtype=tensor.dtype, device=tensor.device)
    if not any(isinstance(one, Tensor) for one in given):
        aten.copy_.default(_indexed(tensor, place), value)
        return
    masks = [aten.nonzero.default(one).unbind(1) if _is_mask(one) else (one,) for one in given]
    whole = [column for columns in masks for column in columns]
    whole = [torch.full((), one, device=tensor.device) if isinstance(one, int) else one for one in whole]
    aten.index_put_.default(tensor, whole, value)
