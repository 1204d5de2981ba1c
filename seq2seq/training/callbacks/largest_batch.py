"""A callback that tries the largest batch before training begins."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import pytorch_lightning as lightning
import torch

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.training.footprint import peak_bytes
from seq2seq.training.out_of_memory import ADVICE, shape_of, told_short_for
from seq2seq.training.step import TrainingStep

logger = logging.getLogger(__name__)


class LargestBatch(lightning.Callback):
    """Runs the largest batch of the first epoch forward and backward, and logs the most memory that it held at once.

    What does not fit is known at once rather than after hours. Nothing is changed by it: no weight, no state, no random
    number. It takes the time of a step, and so is left out where there are fewer than `least_steps`. Raises UserError
    if that is below 1, and MemoryShortError where memory is not enough.
    """

    def __init__(self, *, least_steps: int = 200) -> None:
        if least_steps < 1:
            raise UserError(f"least_steps must be at least 1, but is {least_steps}.")
        self.least_steps = least_steps

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        most = pl_module.budget.max_steps
        if most is not None and most - trainer.global_step < self.least_steps:
            return
        batch = trainer.train_dataloader.largest().to(pl_module.device)
        needed = self._tried(trainer, pl_module, batch)
        if trainer.is_global_zero and needed is not None:
            logger.info(
                "the largest batch (%s) needs %s MB at its peak; where that is too much, %s",
                *(shape_of(batch), f"{needed / 1e6:,.1f}", ADVICE),
            )

    def _tried(self, trainer: Any, module: Any, batch: Batch) -> int | None:
        """The bytes that the batch needs, weights among them; None where another profiler is at work."""
        weights = [weight for weight in module.model.parameters() if weight.requires_grad]
        states = [value for own in trainer.optimizers[0].state.values() for value in own.values()]
        held = sum(one.nbytes for one in [*weights, *states] if isinstance(one, torch.Tensor))

        def run() -> None:
            with trainer.precision_plugin.train_step_context():
                loss = module.step.loss(batch, step=trainer.global_step, spent=module.spent)
            torch.autograd.grad(loss, weights, allow_unused=True)  # the gradients of the weights stay as they are

        what = f"the largest batch ({shape_of(batch)})"
        with told_short_for(lambda: what), _undone(module.step, module.device):
            if type(trainer.profiler).__name__ != "PyTorchProfiler":  # of which there can be one at a time
                return peak_bytes(run, held, module.device)
            run()
        return None


@contextmanager
def _undone(step: TrainingStep, device: torch.device) -> Iterator[None]:
    """Take back all that a loss leaves behind, in the model, the parts of the step and the random numbers."""
    parts = [step.carried, step.objective, step.schedule, step.scheduled_sampling]
    kept = [(part, copy(vars(part))) for part in parts if part is not None]
    buffers = [(buffer, buffer.clone()) for buffer in step.model.buffers()]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            for part, before in kept:
                vars(part).clear()
                vars(part).update(before)
            for buffer, was in buffers:
                buffer.copy_(was)
