"""Averages of a model's weights: moving, and equal ones."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.precise import precise
from seq2seq.training.scores_seen import Monitored

_DECAY, _START, _PATIENCE = 0.999, 0.75, 5


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
    def update(self, finite: Tensor | None = None, spent: float = 1.0) -> None:
        """Take in the model's present weights; where `finite` is false they are those of before, and nothing changes.

        All of it on the device: nobody waits for what `finite` is. `spent` is the share of the budget.
        """
        present = {name: weight.detach() for name, weight in self.model.named_parameters()}
        if not self.weights:
            self.weights = {name: _kept(weight) for name, weight in present.items()}
        if finite is None:
            finite = torch.ones_like(self._updates, dtype=torch.bool)
        share = self._share() * finite
        for name, average in self.weights.items():
            average.lerp_(present[name].to(average.dtype), share.to(average.dtype))
        if self.counts(spent):
            self._updates += finite
        else:
            self._updates.zero_()

    def counts(self, spent: float) -> bool:
        """Tell whether there is an average yet at this share of the budget; before, it is the weights."""
        return True

    def _share(self) -> Tensor:
        """The share of the present weights in the next average: all of the first, whatever it began as."""
        decay = ((1 + self._updates) / (10 + self._updates)).clamp(max=self.decay)
        return 1 - decay * (self._updates > 0)

    def note(self, scores: Mapping[str, float]) -> None:
        """Take in the scores of a validation."""

    def begin_anew(self) -> None:
        """Forget the scores so far: they were of another kind of model."""

    def progress(self) -> dict[str, Any]:
        """Counts of validations so far, for a checkpoint; empty where nothing counts them."""
        return {}

    def restore(self, progress: dict[str, Any]) -> None:
        """Take up what an interrupted run left."""

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


class EqualAverage(WeightAverage):
    """The mean of the weights after each step from `start` of the budget on, "SWA" (Izmailov et al. 2018, equation 1).

    Before, it is the weights themselves. Raises UserError if start is not in [0, 1).
    """

    def __init__(self, model: nn.Module, start: float) -> None:
        super().__init__(model, 0.0)
        if not 0 <= start < 1:
            raise UserError(f"start must be at least 0 and below 1, but is {start}: it is a share of the budget.")
        self.start = start

    def counts(self, spent: float) -> bool:
        """Tell whether the mean has begun."""
        return spent >= self.start

    def _share(self) -> Tensor:
        return 1 / (self._updates + 1)


class TriggeredAverage(EqualAverage):
    """The mean of the weights from a validation on that is worse than an old one: with SGD this is "NT-ASGD".

    Non-monotonically triggered (Merity et al. 2018, as their code has it): it begins once a score is worse than the
    best of those before the last `patience` ones. Raises UserError at a patience below 1.
    """

    def __init__(self, model: nn.Module, monitor: str, mode: str, patience: int) -> None:
        super().__init__(model, 0.0)
        self.monitored = Monitored(monitor, mode)
        if patience < 1:
            raise UserError(f"patience must be at least 1, but is {patience}.")
        self.patience = patience
        self.triggered = False
        self._losses: list[float] = []

    def counts(self, spent: float) -> bool:
        """Tell whether the mean has begun."""
        return self.triggered

    def note(self, scores: Mapping[str, float]) -> None:
        """Take in the scores of a validation, which may be the one from which on to average."""
        loss = self.monitored.read(scores)
        if old := self._losses[: -self.patience]:
            self.triggered = self.triggered or loss > min(old)
        self._losses.append(loss)

    def begin_anew(self) -> None:
        """Forget the scores so far; a mean that has begun goes on."""
        self._losses.clear()

    def progress(self) -> dict[str, Any]:
        """Scores as losses, and whether the mean has begun."""
        return {"losses": list(self._losses), "triggered": self.triggered}

    def restore(self, progress: dict[str, Any]) -> None:
        """Take up what an interrupted run left."""
        self._losses, self.triggered = list(progress["losses"]), progress["triggered"]


KINDS = ("ema", "swa", "triggered")
_OF_KIND = {  # options of one kind alone, and what they are where they are not given
    "decay": ("ema", None),
    "start": ("swa", _START),
    "patience": ("triggered", _PATIENCE),
    "monitor": ("triggered", None),
    "mode": ("triggered", None),
}


def new_average(
    model: nn.Module,
    *,
    decay: float | None = None,
    kind: str = "ema",
    start: float = _START,
    patience: int = _PATIENCE,
    monitor: str | None = None,
    mode: str | None = None,
) -> WeightAverage:
    """The average of a kind: ema, a moving one by `decay`; swa, an equal one from `start` on; or triggered.

    A decay of None is 0.999; without a monitor and a mode, a trigger looks for a low dev/loss. Raises UserError at
    another kind, where that kind's options are outside of their ranges, and at those of others.
    """
    if kind not in KINDS:
        raise UserError(f"kind must be ema, swa or triggered, but is {kind!r}.")
    given = {"decay": decay, "start": start, "patience": patience, "monitor": monitor, "mode": mode}
    for name, (other, default) in _OF_KIND.items():
        if kind != other and given[name] != default:
            left = "set it to null" if default is None else f"leave {name} out"
            raise UserError(f"{name} needs kind={other}, but that is {kind}: {left}.")
    if kind == "ema":
        return WeightAverage(model, _DECAY if decay is None else decay)
    if kind == "swa":
        return EqualAverage(model, start)
    return TriggeredAverage(model, monitor or "dev/loss", mode or "min", patience)


def _kept(tensor: Tensor) -> Tensor:
    """A copy, in float32 where the type is a shorter one: there an average would stand still."""
    return precise(tensor).clone() if tensor.is_floating_point() else tensor.clone()
