"""Windows of batches whose gradients make up one step: accumulate_grad_batches, fewer at the end of an epoch.

Lightning counts batches until a validation. As windows at the ends of epochs can be short, no number of batches always
falls at the end of one, and gradients that wait for their step are in no checkpoint. So validations are due by steps.
"""

from collections.abc import Iterator

import pytorch_lightning as lightning
import torch

from seq2seq.data.batch import Batch
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.errors import UserError

_NEVER = 1 << 62  # batches


def begins_window(trainer: lightning.Trainer, batch_idx: int) -> bool:
    """Tell whether a batch of the epoch is the first of its window."""
    return batch_idx % trainer.accumulate_grad_batches == 0


def ends_window(trainer: lightning.Trainer, batch_idx: int) -> bool:
    """Tell whether the step follows this batch of the epoch."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0 or trainer.is_last_batch


def schedule_validation(trainer: lightning.Trainer, *, after_step: bool) -> None:
    """Let Lightning validate behind the present batch if a step was taken and as many as it should take are done."""
    if trainer.accumulate_grad_batches > 1:
        due = after_step and trainer.global_step > 0 and trainer.global_step % trainer.val_check_interval == 0
        trainer.val_check_batch = 1 if due else _NEVER


def count_logged_steps(trainer: lightning.Trainer) -> None:
    """Let Lightning log the step under way by its number; resumed at an epoch's end, it is one behind."""
    trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step


def check_intervals(val_check_interval: object, log_every_n_steps: object) -> None:
    """Check that intervals have a length. Raises UserError if not."""
    for name, value in (("val_check_interval", val_check_interval), ("log_every_n_steps", log_every_n_steps)):
        if isinstance(value, int | float) and value <= 0:
            raise UserError(f"{name} must be above 0, but is {value}: give a number of steps.")


def check_limits(**limits: object) -> None:
    """Check that limits leave batches to train on and to validate with. Raises UserError if one leaves none."""
    for name, value in limits.items():
        if isinstance(value, int | float) and value <= 0:
            raise UserError(f"{name} must be above 0, but is {value}: leave it out for all batches.")


def check_accumulation(accumulate_grad_batches: int, val_check_interval: object) -> None:
    """Check that windows have a size, and that validations can be counted in steps. Raises UserError if not."""
    if accumulate_grad_batches < 1:
        raise UserError(f"accumulate_grad_batches must be at least 1, but is {accumulate_grad_batches}.")
    if accumulate_grad_batches > 1 and not isinstance(val_check_interval, int):
        raise UserError(
            "val_check_interval must be a number of steps where accumulate_grad_batches is above 1, but is "
            f"{val_check_interval!r}: validation may not fall between the batches of a step."
        )


def endless_windows(data: Seq2SeqDataModule, size: int, device: torch.device) -> Iterator[list[Batch]]:
    """The windows of up to `size` training batches that Lightning's loop would draw, epoch after epoch."""
    epoch = 0
    while True:
        pairs, plan = data.train_epoch(epoch)
        for start in range(0, len(plan), size):
            window = plan[start : start + size]
            tokens = sum(pairs.target_tokens(rows) for rows in window)
            yield [pairs.batch(rows, step_tokens=tokens).to(device) for rows in window]
        epoch += 1
