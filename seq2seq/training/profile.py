"""Profile of training steps: their time by kind of operation."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

_RECURRENT = ("mkldnn_rnn_layer", "_cudnn_rnn", "_thnn_fused")
_PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "convolution", "linear")
_DRAWS = ("bernoulli", "native_dropout", "rand", "multinomial")
_GATHERS = ("embedding", "index", "gather", "scatter", "sort", "topk")
_COPIES = ("cat", "copy", "_to_copy", "clone", "stack", "constant_pad_nd", "fill", "zero", "one", "empty", "full")


@dataclass
class OperationCost:
    """Cost of the operations of a kind: calls, seconds, FLOP where they are products, bytes read and written."""

    calls: int = 0
    seconds: float = 0.0
    flop: float = 0.0
    bytes: float = 0.0


@dataclass
class Profile(TorchDispatchMode):
    """Costs of the operations that run while it is entered, by kind, each timed as it runs; for a CPU.

    Kinds are recurrent layers, products, dropout, gathers, copies, element-wise, and all that the optimizer calls.
    Views move nothing and count as Python.
    """

    clock: Callable[[], float] = time.perf_counter
    costs: dict[str, OperationCost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._part = ""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Run a part of the step: forward, backward or optimizer."""
        self._part = name
        yield

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func.is_view:
            return func(*args, **(kwargs or {}))
        started = self.clock()
        out = func(*args, **(kwargs or {}))
        seconds = self.clock() - started
        cost = self.costs.setdefault(_kind(func.__name__, self._part), OperationCost())
        cost.calls += 1
        cost.seconds += seconds
        cost.flop += _flop(func, args, kwargs or {}, out)
        cost.bytes += sum(leaf.nbytes for leaf in tree_leaves((args, out)) if isinstance(leaf, Tensor))
        return out

    def report(self, steps: int, seconds: float) -> list[dict[str, Any]]:
        """A row per kind, most time first, and one for Python: what is left of `seconds`, which the steps took.

        Milliseconds and calls are those of a step; rates are of a second of the kind's own time.
        """
        left = max(0.0, seconds - sum(cost.seconds for cost in self.costs.values()))
        costs = {**self.costs, "Python and dispatch": OperationCost(seconds=left)}
        return [
            {
                "kind": kind,
                "calls": round(cost.calls / steps),
                "milliseconds": round(1000 * cost.seconds / steps, 2),
                "share": round(cost.seconds / seconds, 4),
                "gflop_per_second": round(cost.flop / max(cost.seconds, 1e-9) / 1e9, 1),
                "gbyte_per_second": round(cost.bytes / max(cost.seconds, 1e-9) / 1e9, 1),
            }
            for kind, cost in sorted(costs.items(), key=lambda item: -item[1].seconds)
        ]


def _kind(operation: str, part: str) -> str:
    """The kind of an operation, such as `addmm.default`, in a part of the step."""
    name = operation.partition(".")[0]
    if part == "optimizer":
        return "optimizer, clipping and average"
    kinds: dict[str, tuple[str, ...]] = {
        "recurrent layers": _RECURRENT,
        "dropout": _DRAWS,
        "gathers": _GATHERS,
        "copies": _COPIES,
    }
    if name.removesuffix("_backward") in _PRODUCTS:
        return "products"
    return next((kind for kind, starts in kinds.items() if name.startswith(starts)), "element-wise")


def _flop(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> float:
    """FLOP of a product or of a recurrent layer, whose weights each step uses once, and backwards twice."""
    packet = func._overloadpacket
    if packet.__name__.startswith("mkldnn_rnn_layer"):
        inputs, *weights = args[:3]
        times = 2 if packet.__name__.endswith("backward") else 1
        return 2.0 * times * inputs.shape[0] * inputs.shape[1] * sum(weight.numel() for weight in weights)
    formula: Callable[..., Any] | None = flop_registry.get(packet)
    return float(formula(*args, **kwargs, out_val=out)) if formula else 0.0
