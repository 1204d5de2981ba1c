"""The one adapter between a model and Lightning."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seq2seq.data.batch import Batch
from seq2seq.data.examples import Example
from seq2seq.metrics.scores import Scores
from seq2seq.training.budget import Budget
from seq2seq.training.likelihood import likelihood
from seq2seq.training.step import TrainingStep
from seq2seq.translation.translator import Translator


class Seq2SeqModule(lightning.LightningModule):
    """Trains a model within a budget; validates and saves the average of its weights."""

    def __init__(
        self,
        *,
        step: TrainingStep,
        budget: Budget,
        translator: Translator,
        dev_examples: Sequence[Example],
        scores: Mapping[str, Scores],
        saved_with: dict[str, Any],
    ) -> None:
        super().__init__()
        self.model = step.model
        self.step = step
        self.budget = budget
        self.translator = translator
        self.dev_examples = dev_examples
        self.scores = nn.ModuleDict(scores)
        self.saved_with = saved_with
        self.spent = 0.0
        self._averaged = ExitStack()

    def configure_optimizers(self) -> Optimizer:
        return self.step.new_optimizer()

    def on_fit_start(self) -> None:
        self.translator.device = self.device
        self.step.average.to(self.device)
        self.budget.start()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        self.spent = self._agreed(self.budget.spent(self.global_step))
        optimizer = self.trainer.optimizers[0]
        self.step.begin(optimizer, step=self.global_step, spent=self.spent, rank=self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if self.step.scheduled_sampling is not None and self._logs(self.global_step + 1):
            self.log("train/true_tokens", self.step.true_tokens(step=self.global_step, spent=self.spent))
        # Gradients are averaged over processes, but the loss is per token of all of them: undo the average.
        loss = self.step.loss(batch, step=self.global_step, spent=self.spent) * self.trainer.world_size
        self.log("train/loss", loss.detach())
        return loss

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Transform the gradients: Lightning calls this between the backward pass and the optimizer."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)  # a fused optimizer would do so itself, after this
        self.log("train/gradient_norm", self.step.transform(step=self.global_step))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if self._logs(self.global_step):
            self.log("train/learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        if self.global_step > self.step.average.updates:  # not while gradients accumulate
            self.step.average.update()
        if self._agreed(self.budget.spent(self.global_step)) >= 1:
            self.trainer.should_stop = True

    def on_validation_epoch_start(self) -> None:
        self._averaged.enter_context(self.step.average.applied())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        found = likelihood(self.model, batch)
        tokens = int(found.tokens)
        sums = {"dev/loss": found.total, "attention/entropy": found.entropy, "attention/sharpness": found.sharpness}
        means = {name: total / max(tokens, 1) for name, total in sums.items()}
        self.log_dict(means, batch_size=tokens, on_epoch=True, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log scores of free-running translations. The average leaves here, before any callback saves the weights."""
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
        checkpoint["weights"] = self.step.average.state_dict()
        checkpoint["average_updates"] = self.step.average.updates
        checkpoint["seconds"] = self.budget.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.step.average.load_state_dict(checkpoint["weights"], checkpoint["average_updates"])
        self.budget.restore(checkpoint["seconds"])

    def _logs(self, step: int) -> bool:
        """Tell whether the step is logged; a number's way to the device, where Lightning keeps it, takes a wait."""
        return step % self.trainer.log_every_n_steps == 0  # type: ignore[attr-defined]

    def _agreed(self, spent: float) -> float:
        """The share of the first process, so that clocks that differ cannot part learning rates."""
        if self.trainer.world_size == 1:
            return spent
        shared = torch.tensor(spent, dtype=torch.double, device=self.device)
        torch.distributed.broadcast(shared, src=0)
        return shared.item()
