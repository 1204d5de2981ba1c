"""The one adapter between a model and Lightning."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seq2seq.data.batch import Batch
from seq2seq.data.examples import Example
from seq2seq.metrics.scores import Scores
from seq2seq.models.earlier_names import with_present_names
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.score_teller import ScoreTeller
from seq2seq.training.carried import CarriedStates, rate_of
from seq2seq.training.diagnosis import divergence, refuse_not_finite, where_not_finite
from seq2seq.training.fast_translator import fast_translator
from seq2seq.training.free_memory import give_back
from seq2seq.training.halving import HalvedSteps
from seq2seq.training.interruption import Interruption
from seq2seq.training.likelihood import likelihood
from seq2seq.training.processes import agreed_share, sums_by_weight
from seq2seq.training.skipping import SCALE_HALVINGS, SkippedSteps, leave_out_unless
from seq2seq.training.step import TrainingStep
from seq2seq.training.windows import begins_window, count_logged_steps, ends_window, schedule_validation
from seq2seq.translation.forecaster import Forecaster, answers
from seq2seq.translation.translator import Translator


class Seq2SeqModule(lightning.LightningModule):
    """Trains a model within a budget; validates and saves the average of its weights."""

    def __init__(
        self,
        *,
        step: TrainingStep,
        budget: Budget,
        translator: Translator | Forecaster,
        dev_examples: Sequence[Example],
        scores: Mapping[str, Scores],
        complete: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__()
        self.model = step.model
        self.step, self.budget = step, budget
        self.translator = translator
        self.dev_examples = dev_examples
        self.scores = nn.ModuleDict(scores)
        self.complete = complete
        self.spent = 0.0
        self.skipped, self.halved = SkippedSteps(), HalvedSteps()
        self.interruption = Interruption(budget, self.halved)
        self.rollbacks: list[list[int]] = []  # steps of divergence, and steps that were gone back to
        self.under_way: list[Batch] = []  # batches of the step under way
        self.step_loss = torch.zeros(())  # of the step under way, as far as its batches are done
        self.step_likelihood: Tensor | None = None  # the part of it that is a negative log-likelihood
        self._finite: Tensor | None = None  # whether the gradient of the step under way is; None until there is one
        self._averaged, self._dev_states = ExitStack(), CarriedStates()

    @property
    def record(self) -> dict[str, Any]:
        """Entries of a run's record: how often it was rolled back, and its steps were taken in parts, if they were."""
        found = {"rollbacks": self.rollbacks, "halved_steps": self.halved.total}
        return {name: value for name, value in found.items() if value}

    def configure_optimizers(self) -> Optimizer:
        return self.step.new_optimizer()

    def configure_callbacks(self) -> list[lightning.Callback]:
        """Callbacks: one stops training when asked to; one tells of validations, where something counts them."""
        return [self.interruption, *([ScoreTeller()] if self.step.state_dict() else [])]

    def on_fit_start(self) -> None:
        self.translator.device = self.device
        self.halved.possible = sums_by_weight(self.trainer.strategy)
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            self.skipped.forgiven = SCALE_HALVINGS
        self.step.average.to(self.device)
        for scores in self.scores.values():
            assert isinstance(scores, Scores)
            scores.prepare([example.targets for example in self.dev_examples])  # all of them, in every process
        self.budget.start()

    def on_train_start(self) -> None:
        give_back()  # what a plan of the epoch and a checkpoint have left
        self.step.set_options(self.trainer.optimizers[0])  # a checkpoint has restored those of before

    def on_train_epoch_start(self) -> None:
        schedule_validation(self.trainer, after_step=True)  # where a run goes on, there is none on the way to a step

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if begins_window(self.trainer, batch_idx):
            count_logged_steps(self.trainer)
            self.spent = agreed_share(self.budget.spent(self.global_step), self.device)
            self.under_way, self.step_loss, self.step_likelihood = [], torch.zeros((), device=self.device), None
        self.under_way.append(batch)
        self._begin()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if self.step.scheduled_sampling is not None and self._logs(self.global_step + 1):
            self.log("train/true_tokens", self.step.true_tokens(step=self.global_step, spent=self.spent))
        # Gradients are averaged over processes, but the loss is per token of all of them: undo the average.
        loss = self.halved.loss(self.step, batch, self._loss, self._begin) * self.trainer.world_size
        self.step_loss = self.step_loss + loss.detach()
        if (likelihood := self.step.objective.likelihood) is not None:
            share = likelihood * (self.trainer.world_size / batch.step_tokens)
            self.step_likelihood = share if self.step_likelihood is None else self.step_likelihood + share
        if ends_window(self.trainer, batch_idx):
            self.log("train/loss", self.step_loss)
        return loss * self.trainer.accumulate_grad_batches  # by which Lightning divides

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        context = self.trainer.precision_plugin.train_step_context
        self.halved.backward(self.step, loss, self.under_way[-1], self._loss, begin=self._begin, autocast=context)

    def _loss(self, batch: Batch) -> Tensor:
        return self.step.loss(batch, step=self.global_step, spent=self.spent)

    def _begin(self, part: int = 0) -> None:
        part = part + 1000 * len(self.under_way) if part else len(self.under_way) - 1  # none draws what another does
        optimizer, rank, rate = self.trainer.optimizers[0], self.global_rank, rate_of(self.under_way[-1])
        self.step.begin(optimizer, step=self.global_step, spent=self.spent, rank=rank, part=part, rate=rate)

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Transform the gradients: Lightning calls this between the backward pass and the optimizer."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)  # a fused optimizer would do so itself, after this
        norm = self.step.transform(step=self.global_step)
        self._finite = norm.isfinite()
        if scaler is None:  # which leaves such steps out itself
            leave_out_unless(self._finite, optimizer)
        self.log("train/gradient_norm", norm)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if self._logs(self.global_step):
            self.log("train/learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        stepped = self._finite is not None  # not while gradients accumulate
        if self._finite is not None:
            self._end_step(self._finite)
            if agreed_share(self.budget.spent(self.global_step), self.device) >= 1:
                self.trainer.should_stop = True
        schedule_validation(self.trainer, after_step=stepped)
        if stepped:
            self.interruption.after_step(self.trainer)

    def _end_step(self, finite: Tensor) -> None:
        self.step.average.update(finite, self.spent)
        self.skipped.note(self.global_step, self.under_way, finite)
        self._finite = None
        logged = self._logs(self.global_step)
        if logged or self.device.type == "cpu":  # elsewhere, asking would wait for the device
            self._look()
        if logged:
            self.log("train/skipped_steps", float(self.skipped.total))
            if self.halved.total:
                self.log("train/halved_steps", float(self.halved.total))
            if (scaler := getattr(self.trainer.precision_plugin, "scaler", None)) is not None:
                self.log_dict(
                    {"train/overflows": float(self.skipped.overflows), "train/loss_scale": scaler.get_scale()}
                )

    def _look(self) -> None:
        """Count the steps that were left out. Raises DivergedError after too many in a row."""
        folder = Path(self.trainer.default_root_dir) / "skipped"
        if not self.skipped.look(folder, self.global_rank):
            return
        assert self.skipped.last is not None
        step, batches = self.skipped.last
        found = where_not_finite(
            self.model,
            batches,
            lambda batch: self.step.loss(batch, step=step, spent=self.spent),
            self.trainer.precision_plugin.train_step_context,
        )
        raise divergence(step, self.skipped.limit, found, folder)

    def on_validation_start(self) -> None:
        self.budget.stop()

    def on_validation_end(self) -> None:
        self.budget.start()  # after the callbacks, which save

    def on_validation_epoch_start(self) -> None:
        self._look()
        self._averaged.enter_context(self.step.average.applied())
        self.interruption.scoring(self.trainer)
        self._dev_states = CarriedStates()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.interruption.look()
        found = likelihood(self.model, batch, self._dev_states.forward(self.model, batch, batch.target_inputs))
        sums = {"dev/loss": found.total, "attention/entropy": found.entropy, "attention/sharpness": found.sharpness}
        means = {name: total / max(found.tokens, 1) for name, total in sums.items()}
        self.log_dict(means, batch_size=found.tokens, on_epoch=True, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log scores of free-running translations. The average leaves here, before any callback saves the weights."""
        share = self.translator.share(len(self.dev_examples), self.global_rank, self.trainer.world_size)
        mine = self.dev_examples[share] if self.scores else []
        sources, references = [example.source for example in mine], [example.targets for example in mine]
        look = self.interruption.look
        hypotheses = answers(fast_translator(self.translator, self.model, look), mine) if self.scores else []
        for scores in self.scores.values():
            assert isinstance(scores, Scores)
            scores.update(hypotheses, references, sources)
            self.log_dict({f"dev/{name}": value for name, value in scores.compute().items()})
            scores.reset()
        self.interruption.scores_are_made()
        self._averaged.close()

    def cut_validation(self) -> None:
        """Take back the weights that are trained, in the middle of a validation."""
        self._averaged.close()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what a run needs beside Lightning's entries. Raises DivergedError if weights are not finite."""
        checkpoint["weights"] = self.step.average.state_dict()
        refuse_not_finite(checkpoint, self.global_step)
        checkpoint["skipped_steps"] = self.skipped.state_dict()
        checkpoint["average_updates"] = self.step.average.updates
        checkpoint["seconds"] = self.budget.seconds
        checkpoint |= self.record | self.step.carried.record(self.trainer.world_size)
        checkpoint |= {"validations_seen": seen} if (seen := self.step.state_dict()) else {}
        self.complete(checkpoint)  # last: it seals what is in there

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint |= {kind: with_present_names(checkpoint[kind]) for kind in ("state_dict", "weights")}
        self.step.average.load_state_dict(checkpoint["weights"], checkpoint["average_updates"])
        self.budget.restore(checkpoint["seconds"])
        self.step.load_state_dict(checkpoint.get("validations_seen", {}))
        self.step.carried.restore(checkpoint, self.global_rank, self.trainer.world_size)
        if "skipped_steps" in checkpoint:  # earlier checkpoints lack it
            self.skipped.load_state_dict(checkpoint["skipped_steps"])
        self.halved.total = max(self.halved.total, checkpoint.get("halved_steps", 0))
        if len(self.rollbacks) > len(before := checkpoint.get("rollbacks", [])):  # it is gone back to
            self.skipped.in_a_row = 0
        else:
            self.rollbacks = before
        self.step.rate_scale = 0.5 ** len(self.rollbacks)

    def _logs(self, step: int) -> bool:
        """Tell whether the step is logged; a number's way to the device, where Lightning keeps it, takes a wait."""
        return step % self.trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
