"""A trained model that goes on learning, and can go back to where it was."""

from collections.abc import Mapping
from copy import deepcopy
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.training.step import TrainingStep


class Learner:
    """A learner by one training step at a time, held to the weights that it started from; it serves their average.

    The loss + l2 / 2 |weights - start|^2 is minimised ("L2-SP", Li et al. 2018). The second part is not among the
    gradients, which Adam and clipping would scale, but follows the optimizer as the proximal step of its rate r:
    weights <- (weights + r l2 start) / (1 + r l2). So it is decoupled, as AdamW's decay is, and stable at any l2.
    Raises UserError at an l2 below 0.
    """

    def __init__(self, step: TrainingStep, start: Mapping[str, Tensor], l2: float = 0.0) -> None:
        if not (l2 >= 0 and isfinite(l2)):
            raise UserError(f"l2 must be at least 0, but is {l2}.")
        self.step, self.l2 = step, l2
        self.updates = 0
        self.optimizer = step.new_optimizer()
        named = step.model.named_parameters()
        self._start = {id(weight): start[name].to(weight).clone() for name, weight in named}
        if l2 > 0:
            self.optimizer.register_step_post_hook(self._pull)

    @property
    def served(self) -> dict[str, Tensor]:
        """The weights to use the model with: the average of those so far."""
        return self.step.average.state_dict()

    def learn(self, batch: Batch) -> bool:
        """Take a step on a batch and tell whether its gradient was finite: if not, nothing good comes of going on."""
        self.step.model.train()
        self.step.take(batch, self.optimizer, step=self.updates, spent=0.0)
        self.updates += 1
        assert self.step.finite is not None
        return bool(self.step.finite)

    def state(self) -> dict[str, Any]:
        """Copies of all that the next update depends on, in types that a checkpoint holds."""
        return {
            "state_dict": {name: weight.detach().clone() for name, weight in self.step.model.state_dict().items()},
            "weights": self.served,
            "average_updates": self.step.average.updates,
            "optimizer": deepcopy(self.optimizer.state_dict()),
            "optimizer_class": _name(self.optimizer),
            "updates": self.updates,
            "random_state": torch.get_rng_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state, to the bit. An optimizer of another class, or with other groups, begins anew."""
        self.step.model.load_state_dict(state["state_dict"])
        self.step.average.load_state_dict(state["weights"], state["average_updates"])
        self.step.average.to(next(self.step.model.parameters()).device)
        if state["optimizer_class"] == _name(self.optimizer) and _sizes(state["optimizer"]) == _sizes(
            self.optimizer.state_dict()
        ):
            self.optimizer.load_state_dict(state["optimizer"])
            self.step.set_options(self.optimizer)
        self.optimizer.zero_grad()
        self.updates = state["updates"]
        torch.set_rng_state(state["random_state"])

    @torch.no_grad()
    def _pull(self, optimizer: Optimizer, *_: Any) -> None:
        """Pull the weights towards the start, after a step of the optimizer."""
        for group in optimizer.param_groups:
            pull = group["lr"] * self.l2
            for weight in group["params"]:
                if weight.grad is None:
                    continue  # it is frozen
                weight.lerp_(self._start[id(weight)], pull / (1 + pull))


def _sizes(state: Mapping[str, Any]) -> list[int]:
    """Numbers of weights in the groups of an optimizer's state."""
    return [len(group["params"]) for group in state["param_groups"]]


def _name(optimizer: Optimizer) -> str:
    return type(optimizer).__name__
