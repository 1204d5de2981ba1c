"""The step of training, whoever loops over batches."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from seq2seq.data.batch import Batch, StreamBatch
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Written
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.carried import CarriedStates, rate_of
from seq2seq.training.gradients.transformation import GradientTransformation, global_norm
from seq2seq.training.master_weights import MasterWeights, rounds
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.scheduled_sampling import ScheduledSampling
from seq2seq.training.schedules import Schedule
from seq2seq.training.skipping import leave_out_unless
from seq2seq.training.truncated import truncated_loss


class TrainingStep:
    """A step of training a model: from a batch to scaled, transformed and applied gradients, and the new average.

    Lightning's loop calls `begin`, `loss`, `transform` and `average.update` around its own backward pass and optimizer;
    a loop of one's own calls `take`, which does it all. A step whose gradient is not finite changes nothing. `step`
    counts optimizer steps from 0, `spent` is the share of the budget.
    """

    def __init__(
        self,
        *,
        model: Seq2Seq,
        objective: Objective,
        optimizer: Callable[..., Optimizer],
        schedule: Schedule,
        scheduled_sampling: ScheduledSampling | None,
        gradients: GradientTransformation | None,
        average: WeightAverage,
        seed: int,
    ) -> None:
        self.model = model
        self.objective = objective
        self.optimizer_factory = optimizer
        self.schedule = schedule
        self.scheduled_sampling = scheduled_sampling
        self.gradients = gradients
        if gradients is not None:
            gradients.prepare(model)
        self.average = average
        self.seed = seed
        self.rate_scale = 1.0  # of what the schedule says
        self.carried = CarriedStates()
        self.target_window: int | None = None  # target tokens that gradients go back, None for all
        self.finite: Tensor | None = None  # whether the gradient of the last step that was taken was

    def new_optimizer(self) -> Optimizer:
        """An optimizer of the model's parameters, in float32 at least, whose learning rates `begin` sets."""
        weights = list(self.model.parameters())
        factory = self.optimizer_factory
        optimizer = MasterWeights(weights, factory) if rounds(weights) else factory(weights)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

    def set_options(self, optimizer: Optimizer) -> None:
        """Give an optimizer the options of a new one, and leave what it has gathered."""
        for group, new in zip(optimizer.param_groups, self.new_optimizer().param_groups, strict=True):
            group.update({name: value for name, value in new.items() if name != "params"})

    def begin(
        self, optimizer: Optimizer, *, step: int, spent: float, rank: int = 0, part: int = 0, rate: float = 1.0
    ) -> None:
        """Set the learning rate of the step, and its random numbers: apart from those of other processes and parts.

        Parts are the batches of a step whose gradients are summed. `rate` is what a batch multiplies the rate by.
        """
        # Seeding every step makes a resumed run draw the dropout masks that the uninterrupted one would have.
        key = (self.seed, step, rank, part) if part else (self.seed, step, rank)
        torch.manual_seed(hash(key) % 2**63)
        factor = self.schedule.factor(step, spent) * self.rate_scale * rate
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def true_tokens(self, *, step: int, spent: float) -> float:
        """The share of the decoder's inputs that are true tokens rather than the model's own."""
        return 1.0 if self.scheduled_sampling is None else self.scheduled_sampling.truth(step, spent)

    def loss(self, batch: Batch, *, step: int, spent: float) -> Tensor:
        """The loss per target token of the whole step, in nats where the objective is a likelihood."""
        inputs: Written = batch.target_inputs
        if self.scheduled_sampling is not None:
            inputs = self.scheduled_sampling.mix(self.model, batch, self.true_tokens(step=step, spent=spent))
        self.objective.begin(spent)
        if isinstance(batch, StreamBatch):
            outputs = self.carried.forward(self.model, batch, inputs)
            return self.objective.loss(self.model, batch, outputs) / batch.step_tokens
        if self.target_window is None:
            return self.objective(self.model, batch, inputs) / batch.step_tokens
        return truncated_loss(self.model, self.objective, batch, inputs, self.target_window) / batch.step_tokens

    def transform(self, *, step: int) -> Tensor:
        """Transform the gradients and return the global norm that they had before."""
        parameters = list(self.model.parameters())
        return global_norm(parameters) if self.gradients is None else self.gradients(parameters, step)

    def take(
        self,
        batches: Batch | Sequence[Batch],
        optimizer: Optimizer,
        *,
        step: int,
        spent: float,
        rank: int = 0,
        autocast: Callable[[], AbstractContextManager] = nullcontext,
        scaler: GradScaler | None = None,
        timed: Callable[[str], AbstractContextManager] = nullcontext,
    ) -> Tensor:
        """Take the step, on one batch or the sum of several, and return its loss.

        `timed` sees its parts, forward, backward and optimizer.
        """
        parts = [batches] if isinstance(batches, Batch) else batches
        scaler = scaler or GradScaler(parts[0].source.device.type, enabled=False)
        losses = []
        for part, batch in enumerate(parts):
            self.begin(optimizer, step=step, spent=spent, rank=rank, part=part, rate=rate_of(batch))
            with timed("forward"), autocast():
                loss = self.loss(batch, step=step, spent=spent)
            with timed("backward"):
                scaler.scale(loss).backward()
            losses.append(loss.detach())
        with timed("optimizer"):
            self._apply(optimizer, scaler, step, spent)
        return torch.stack(losses).sum()

    def _apply(self, optimizer: Optimizer, scaler: GradScaler, step: int, spent: float) -> None:
        """Transform the gradients, let the optimizer move the weights, and take these into the average."""
        scaler.unscale_(optimizer)
        self.finite = finite = self.transform(step=step).isfinite()
        if not scaler.is_enabled():  # a scaler leaves such steps out itself
            leave_out_unless(finite, optimizer)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        self.average.update(finite, spent)

    def state_dict(self) -> dict[str, Any]:
        """Counts of validations, of schedule and average, for a checkpoint; empty where nothing counts them."""
        found = {"schedule": self.schedule.state_dict(), "average": self.average.progress()}
        return {name: state for name, state in found.items() if state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what an interrupted run left; what it had not counted begins anew."""
        if "schedule" in state and self.schedule.state_dict().keys() == state["schedule"].keys():
            self.schedule.load_state_dict(state["schedule"])
        if "average" in state and self.average.progress().keys() == state["average"].keys():
            self.average.restore(state["average"])
