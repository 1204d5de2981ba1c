"""The exponential moving average of a model's weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.precise import precise


class WeightAverage:
    """The moving average of weights: average <- d average + (1 - d) weights.

    At update n, d = min(decay, (1 + n) / (10 + n)): Polyak & Juditsky 1992, with the short memory at the start that
    TensorFlow's implementation introduced. A decay of 0 keeps the weights themselves. No average is kept in less
    than float32, whatever the weights are in. Raises UserError if decay is
    below 0, or not below 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"decay must be at least 0 and below 1, but is {decay}.")
        self.model = model
        self.decay = decay
        self.weights: dict[str, Tensor] = {}
        self._updates = torch.zeros((), dtype=torch.long)

    @property
    def updates(self) -> int:
        """The number of updates so far."""
        return int(self._updates)

    @torch.no_grad()
    def update(self, finite: Tensor | None = None) -> None:
        """Take in the model's present weights; where `finite` is false they are those of before, and nothing changes.

        All of it on the device: nobody waits for what `finite` is.
        """
        present = {name: weight.detach() for name, weight in self.model.named_parameters()}
        if not self.weights:
            self.weights = {name: _kept(weight) for name, weight in present.items()}
        if finite is None:
            finite = torch.ones_like(self._updates, dtype=torch.bool)
        decay = ((1 + self._updates) / (10 + self._updates)).clamp(max=self.decay)
        share = (1 - decay * (self._updates > 0)) * finite  # the first average is the weights, whatever it began as
        for name, average in self.weights.items():
            average.lerp_(present[name].to(average.dtype), share.to(average.dtype))
        self._updates += finite

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the average inside the block, and its own weights again outside.

        Values are copied into the same tensors: cuDNN keeps those of a layer in one piece of memory.
        """
        if not self.weights:
            yield
            return
        own = {name: weight.detach().clone() for name, weight in self.model.named_parameters()}
        self._write(self.weights)
        try:
            yield
        finally:
            self._write(own)

    @torch.no_grad()
    def _write(self, values: dict[str, Tensor]) -> None:
        for name, weight in self.model.named_parameters():
            weight.copy_(values[name])

    def to(self, device: torch.device) -> None:
        """Move the average to the model's device, which may change after a checkpoint was loaded."""
        self.weights = {name: weight.to(device) for name, weight in self.weights.items()}
        self._updates = self._updates.to(device)

    def state_dict(self) -> dict[str, Tensor]:
        """The weights to use the model with, as the model's own state dict, but none in less than float32."""
        own = {id(weight): name for name, weight in self.model.named_parameters()}
        return {
            name: _kept(self.weights.get(own.get(id(tensor), name), tensor.detach()))
            for name, tensor in self.model.state_dict(keep_vars=True).items()
        }

    def load_state_dict(self, state: dict[str, Tensor], updates: int) -> None:
        """Take up the average, and the number of its updates, that a checkpoint holds."""
        self._updates = torch.tensor(updates)
        self.weights = {name: _kept(state[name]) for name, _ in self.model.named_parameters()}


def _kept(tensor: Tensor) -> Tensor:
    """A copy, in float32 where the type is a shorter one: there an average would stand still."""
    return precise(tensor).clone() if tensor.is_floating_point() else tensor.clone()
