"""The exponential moving average of a model's weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError


class WeightAverage:
    """The moving average of weights: average <- d average + (1 - d) weights.

    At update n, d = min(decay, (1 + n) / (10 + n)): Polyak & Juditsky 1992, with the short memory at the start that
    TensorFlow's implementation introduced. A decay of 0 keeps the weights themselves. Raises UserError if decay is
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
            self.weights = {name: weight.clone() for name, weight in present.items()}
        if finite is None:
            finite = torch.ones_like(self._updates, dtype=torch.bool)
        decay = ((1 + self._updates) / (10 + self._updates)).clamp(max=self.decay)
        share = (1 - decay * (self._updates > 0)) * finite  # the first average is the weights, whatever it began as
        for name, weight in present.items():
            self.weights[name].lerp_(weight, share.to(weight.dtype))
        self._updates += finite

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the average inside the block, and its own weights again outside."""
        if not self.weights:
            yield
            return
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, weight in self.model.named_parameters():
            weight.data, self.weights[name] = self.weights[name], weight.data

    def to(self, device: torch.device) -> None:
        """Move the average to the model's device, which may change after a checkpoint was loaded."""
        self.weights = {name: weight.to(device) for name, weight in self.weights.items()}
        self._updates = self._updates.to(device)

    def state_dict(self) -> dict[str, Tensor]:
        """The weights to use the model with, as the model's own state dict."""
        with self.applied():
            return {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor], updates: int) -> None:
        """Take up the average, and the number of its updates, that a checkpoint holds."""
        self._updates = torch.tensor(updates)
        self.weights = {name: state[name].clone() for name, _ in self.model.named_parameters()}
