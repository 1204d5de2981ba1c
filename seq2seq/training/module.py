"""The one adapter between a model and Lightning."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seq2seq.data.batch import Batch
from seq2seq.data.examples import Example
from seq2seq.metrics.scores import Scores
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.budget import Budget
from seq2seq.training.losses import CrossEntropy
from seq2seq.training.scheduled_sampling import ScheduledSampling
from seq2seq.training.schedules import Schedule
from seq2seq.translation.translator import Translator


class Seq2SeqModule(lightning.LightningModule):
    """Trains a model within a budget; validates and saves the average of its weights."""

    def __init__(
        self,
        *,
        model: Seq2Seq,
        translator: Translator,
        dev_examples: Sequence[Example],
        objective: CrossEntropy,
        optimizer: Callable[..., Optimizer],
        schedule: Schedule,
        scheduled_sampling: ScheduledSampling | None,
        budget: Budget,
        average_decay: float,
        scores: Mapping[str, Scores],
        saved_with: dict[str, Any],
        seed: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.translator = translator
        self.dev_examples = dev_examples
        self.objective = objective
        self.optimizer_factory = optimizer
        self.schedule = schedule
        self.scheduled_sampling = scheduled_sampling
        self.budget = budget
        self.average = WeightAverage(model, average_decay)
        self.scores = nn.ModuleDict(scores)
        self.saved_with = saved_with
        self.seed = seed
        self.spent = 0.0
        self._averaged = ExitStack()

    def configure_optimizers(self) -> Optimizer:
        optimizer = self.optimizer_factory(self.model.parameters())
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

    def on_fit_start(self) -> None:
        self.translator.device = self.device
        self.average.to(self.device)
        self.budget.start()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Seeding every step makes a resumed run draw the dropout masks that the uninterrupted one would have.
        torch.manual_seed(hash((self.seed, self.global_step, self.global_rank)) % 2**63)
        self.spent = self._agreed(self.budget.spent(self.global_step))
        factor = self.schedule.factor(self.global_step, self.spent)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["initial_lr"] * factor

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        inputs = batch.target_inputs
        if self.scheduled_sampling is not None:
            truth = self.scheduled_sampling.truth(self.global_step, self.spent)
            inputs = self.scheduled_sampling.mix(self.model, batch, truth)
            self.log("train/true_tokens", truth)
        loss = self.objective(self.model, batch, inputs).total / batch.step_tokens
        # Gradients are averaged over processes, but the loss is per token of all of them: undo the average.
        loss = loss * self.trainer.world_size
        self.log("train/loss", loss.detach())
        return loss

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        limit = float("inf") if gradient_clip_val is None else gradient_clip_val
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        self.log("train/gradient_norm", norm)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        self.log("train/learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        if self.global_step > self.average.updates:  # not while gradients accumulate
            self.average.update()
        if self._agreed(self.budget.spent(self.global_step)) >= 1:
            self.trainer.should_stop = True

    def on_validation_epoch_start(self) -> None:
        self._averaged.enter_context(self.average.applied())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        found = self.objective.likelihood(self.model, batch)
        tokens = int(found.tokens)
        sums = {"dev/loss": found.total, "attention/entropy": found.entropy, "attention/sharpness": found.sharpness}
        means = {name: total / max(tokens, 1) for name, total in sums.items()}
        self.log_dict(means, batch_size=tokens, on_epoch=True, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Scores of free-running translations. The average leaves here, before any callback saves the weights."""
        mine = self.dev_examples[self.global_rank :: self.trainer.world_size]
        hypotheses = self.translator([example.source for example in mine])
        references = [example.targets for example in mine]
        for scores in self.scores.values():
            assert isinstance(scores, Scores)
            scores.update(hypotheses, references)
            self.log_dict({f"dev/{name}": value for name, value in scores.compute().items()})
            scores.reset()
        self._averaged.close()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint |= self.saved_with
        checkpoint["weights"] = self.average.state_dict()
        checkpoint["average_updates"] = self.average.updates
        checkpoint["seconds"] = self.budget.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.average.load_state_dict(checkpoint["weights"], checkpoint["average_updates"])
        self.budget.restore(checkpoint["seconds"])

    def _agreed(self, spent: float) -> float:
        """The first process's share, so that clocks that differ cannot part learning rates."""
        if self.trainer.world_size == 1:
            return spent
        shared = torch.tensor(spent, dtype=torch.double, device=self.device)
        torch.distributed.broadcast(shared, src=0)
        return shared.item()
