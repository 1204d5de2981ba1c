"""Weights in float32 behind a model that computes in fewer bits."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seq2seq.precise import precise
from seq2seq.training.closures import loss_of

_KEY = "masters"  # of a state dict


class MasterWeights(Optimizer):
    """An optimizer of copies of the weights in float32, which the weights are rounded from after every step.

    Micikevicius et al. 2018, section 3.1: master <- master - step(gradient), weight <- round(master). So the
    optimizer's state is in float32, too, and updates that are smaller than a weight's last digit add up. Groups and
    their options are those of the optimizer that the factory makes.
    """

    def __init__(self, weights: Iterable[nn.Parameter], factory: Callable[..., Optimizer]) -> None:
        self.weights = list(weights)
        self._inner = factory(self.weights)
        copies = {id(weight): nn.Parameter(precise(weight.detach()).clone()) for weight in self.weights}
        self.masters = list(copies.values())
        for group in self._inner.param_groups:
            group["params"] = [copies[id(weight)] for weight in group["params"]]
        for weight in [one for one in self._inner.state if isinstance(one, nn.Parameter)]:
            state = self._inner.state.pop(weight)
            self._inner.state[copies[id(weight)]] = {
                name: precise(value) if isinstance(value, Tensor) and value.is_floating_point() else value
                for name, value in state.items()
            }
        super().__init__(self._inner.param_groups, {})
        self._step_supports_amp_scaling = True  # a step that is to change nothing is told by `found_inf`
        self._share()

    def _share(self) -> None:
        self.param_groups, self.state = self._inner.param_groups, self._inner.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Let the masters take a step by the weights' gradients, and round the weights from them."""
        loss = loss_of(closure)
        found = self.__dict__.pop("found_inf", None)
        if getattr(self._inner, "_step_supports_amp_scaling", False):
            if found is not None:
                self._inner.found_inf = found  # type: ignore[attr-defined]
        elif found is not None and bool(found):
            return loss
        for weight, master in zip(self.weights, self.masters, strict=True):
            master.grad = None if weight.grad is None else weight.grad.to(master.dtype)
        self._inner.step()
        for weight, master in zip(self.weights, self.masters, strict=True):
            weight.copy_(master)
            master.grad = None
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the weights."""
        for weight in self.weights:
            if set_to_none or weight.grad is None:
                weight.grad = None
            else:
                weight.grad.zero_()

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer, and the masters."""
        return {**self._inner.state_dict(), _KEY: [master.detach() for master in self.masters]}

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of an interrupted run; from one without masters, they are as the weights."""
        masters = state_dict.get(_KEY, self.weights)
        self._inner.load_state_dict({name: value for name, value in state_dict.items() if name != _KEY})
        for master, value in zip(self.masters, masters, strict=True):
            master.copy_(value)
        self._share()


def rounds(weights: Iterable[nn.Parameter]) -> bool:
    """Tell whether weights are in a type that rounds small updates away."""
    return any(precise(weight).dtype != weight.dtype for weight in weights)
