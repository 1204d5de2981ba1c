"""The memory of a training step: what it holds, by what for, and at its peak."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.optim import Optimizer
from torch.profiler import ProfilerActivity, profile

from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.step import TrainingStep

Timed = Callable[[str], AbstractContextManager]

# Methods by which parts of a model are called, so that what they keep is known to be theirs.
_CALLED = ("forward", "remember", "unroll", "step", "logits", "log_probabilities", "loss", "training_loss")


class Kept:
    """Bytes that autograd keeps for backward, by the part that computed them; each piece of memory once.

    The part is that of the innermost `owned` block. Parameters are kept anyway and do not count.
    """

    def __init__(self, parameters: Iterable[Tensor] = ()) -> None:
        self.bytes: dict[str, int] = {}
        self._seen = {parameter.untyped_storage().data_ptr() for parameter in parameters}
        self._owners = ["other"]

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is computed inside the block."""
        # Detached, as an output that its own graph holds would never be freed.
        with saved_tensors_hooks(lambda tensor: self._count(tensor).detach(), lambda tensor: tensor):
            yield

    @contextmanager
    def owned(self, owner: str) -> Iterator[None]:
        """Count what is computed inside the block as the owner's."""
        self._owners.append(owner)
        try:
            yield
        finally:
            self._owners.pop()

    @contextmanager
    def owned_by(self, part: nn.Module, owner: str) -> Iterator[None]:
        """Count what a part computes, whenever it is called inside the block, as the owner's."""
        before, names = dict(vars(part)), [name for name in _CALLED if hasattr(part, name)]
        for name in names:
            setattr(part, name, self._owning(getattr(part, name), owner))
        try:
            yield
        finally:
            for name in names:
                delattr(part, name)
                if name in before:
                    setattr(part, name, before[name])

    def _owning(self, method: Callable[..., Any], owner: str) -> Callable[..., Any]:
        @wraps(method)
        def call(*given: Any, **named: Any) -> Any:
            with self.owned(owner):
                return method(*given, **named)

        return call

    def _count(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.bytes[self._owners[-1]] = self.bytes.get(self._owners[-1], 0) + storage.nbytes()
        return tensor


def footprint(
    step: TrainingStep, optimizer: Optimizer, take: Callable[[Timed], object], device: torch.device
) -> dict[str, int]:
    """Bytes that a step holds, by what for, and all together at its peak; `take` takes it, and what it times is seen.

    It must not be the first, as an optimizer has no state before that.
    """
    states = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    states += getattr(optimizer, "masters", [])
    own = list(step.model.parameters())
    held = {"parameters": _bytes(own), "optimizer": _bytes(states), "average": _bytes(step.average.weights.values())}
    for owner, name in ((step.objective, "likelihood"), (optimizer, "found_inf")):
        setattr(owner, name, None)  # the step makes them anew, and what it frees should be its own
    kept, gradients = Kept([*own, *step.model.buffers()]), []

    @contextmanager
    def seen(name: str) -> Iterator[None]:
        with _counting(kept, step.model) if name == "forward" else ExitStack():
            yield
        if name == "backward":
            gradients.append(_bytes(parameter.grad for parameter in own if parameter.grad is not None))

    peak = peak_bytes(lambda: take(seen), sum(held.values()), device)
    of_parts = {f"kept, {owner}": count for owner, count in kept.bytes.items()}
    return {**held, "gradients": sum(gradients), **of_parts, "peak": peak}


def peak_bytes(run: Callable[[], object], held: int, device: torch.device) -> int:
    """The most bytes of tensors that there are at once while a function runs, with those `held` before it began."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return torch.cuda.max_memory_allocated(device)
    gc.collect()  # what is freed from before would be taken off
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it says on stderr that it begins and ends
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiled:
        run()
    results: Any = profiled.profiler
    changes = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
    most = now = 0
    for change in sorted(changes, key=lambda event: event.start_ns()):
        now += change.nbytes()
        most = max(most, now)
    return held + most


@contextmanager
def _counting(kept: Kept, model: Seq2Seq) -> Iterator[None]:
    parts = {
        "encoder": model.encoder,
        "bridge": model.bridge,
        "decoder": model.decoder,
        "attention": model.decoder.attention,
        "output": model.output,
    }
    with ExitStack() as stack:
        for name, part in parts.items():
            stack.enter_context(kept.owned_by(part, name))
        stack.enter_context(kept.counted())
        yield


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
