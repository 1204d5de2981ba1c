"""Pruning of single weights while training."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seq2seq.compression.magnitude import Masks, check_share, masks_of
from seq2seq.errors import UserError, check_finite
from seq2seq.training.callbacks.early_stopping import EarlyStopping
from seq2seq.training.checkpoints import BestCheckpoint
from seq2seq.training.master_weights import MasterWeights

logger = logging.getLogger(__name__)


class Pruning(lightning.Callback, ABC):
    """Masks of a model's weights: after every step those at False are zero, and what the optimizer keeps of them.

    So are those of the average. Masks are in checkpoints, and all processes find the same.
    """

    def __init__(self) -> None:
        self.masks: dict[str, Tensor] = {}
        self._masked_at = -1  # the step behind which weights were masked last

    def take_up(self, model: nn.Module, pruned: Mapping[str, Tensor]) -> None:
        """Note what a model is that training starts with, and weights of the pruned run that it is of, if of one.

        Raises UserError where it cannot be pruned so.
        """

    @abstractmethod
    def renewed(self, model: nn.Module, step: int, spent: float) -> Masks | None:
        """The masks from a step on, with the share of the budget that was spent at it; none where they stay."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        device = pl_module.device
        self.masks = {name: mask.to(device) for name, mask in self.masks.items()}
        self._mask(trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Mask what a step has moved, before it goes into the average."""
        if trainer.global_step != self._masked_at:  # not while gradients accumulate
            self._mask(trainer, pl_module)

    def _mask(self, trainer: Any, pl_module: Any) -> None:
        self._masked_at = trainer.global_step
        if (masks := self.renewed(pl_module.model, trainer.global_step, pl_module.spent)) is not None:
            self.masks = dict(masks)
            _forget_scores(trainer, pl_module.step)
        apply_masks(self.masks, pl_module.model, trainer.optimizers[0], pl_module.step.average.weights)

    def state_dict(self) -> dict[str, Any]:
        return {"masks": {name: mask.clone() for name, mask in self.masks.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.masks = dict(state_dict["masks"])


class KeptZeros(Pruning):
    """Pruning that was done before: what is zero in matrices of the pruned run that training starts from stays zero.

    Those are matrices that the model has from that run as they were: a table of other pieces is trained whole.
    """

    def take_up(self, model: nn.Module, pruned: Mapping[str, Tensor]) -> None:
        """Find the masks of the pruned run's matrices. Raises UserError if there is none, or no zero in them."""
        matrices = {name: weight.detach() for name, weight in model.named_parameters() if weight.dim() > 1}
        same = {
            name: own for name, own in matrices.items() if name in pruned and torch.equal(own, pruned[name].to(own))
        }
        self.masks = {name: weight != 0 for name, weight in same.items()}
        if all(bool(mask.all()) for mask in self.masks.values()):
            raise UserError(
                "pruning=zeros keeps zeros of a pruned run, but training starts from none: give init=RUN of "
                "scripts/prune.py method=magnitude or of pruning=magnitude, or choose pruning=magnitude."
            )

    def renewed(self, model: nn.Module, step: int, spent: float) -> Masks | None:
        """Renewed masks, of which there are none: they are those that training began with."""
        return None


class MagnitudeSchedule(Pruning):
    """Pruning by magnitude, `every` so many steps: a growing share of the weights in all matrices becomes zero.

    s = share + (initial - share) (1 - p)^3, with p the part of the way from `begin` to `end`, which are shares of the
    budget (Zhu & Gupta 2017); one threshold is for all matrices (See et al. 2016). What is zero stays so. Whatever
    compares scores begins anew with every share: the best checkpoint is chosen among those with the last. Training that
    ends before the whole share says so. Raises UserError at shares that leave nothing or remove nothing, and at a way
    that has no length.
    """

    def __init__(
        self, *, share: float = 0.8, initial: float = 0.0, begin: float = 0.0, end: float = 0.6, every: int = 20
    ) -> None:
        super().__init__()
        check_share("share", share)
        check_finite(begin=begin, end=end)
        if not 0 <= initial < share:
            raise UserError(f"initial must be at least 0 and below share, which is {share}, but is {initial}.")
        if not 0 <= begin < end <= 1:
            raise UserError(
                f"begin and end must be shares of the budget, one before the other, but are {begin}, {end}."
            )
        if every < 1:
            raise UserError(f"every must be at least 1 step, but is {every}.")
        self.share, self.initial, self.begin, self.end, self.every = share, initial, begin, end, every
        self.reached = 0.0

    def share_at(self, spent: float) -> float:
        """The share of weights that are zero once so much of the budget is spent."""
        if spent < self.begin:
            return 0.0
        part = min(1.0, (spent - self.begin) / (self.end - self.begin))
        return self.share + (self.initial - self.share) * (1 - part) ** 3

    def renewed(self, model: nn.Module, step: int, spent: float) -> Masks | None:
        """The masks of the share that the schedule has come to, at its end at once."""
        share = self.share_at(spent)
        if share <= self.reached or (step % self.every and share < self.share):
            return None
        self.reached = share
        return masks_of(model, share)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        if self.reached < self.share:
            logger.warning(
                "pruning: training ended with %.0f %% of the weights in matrices at zero, below pruning.share=%s, "
                "which is for %s of the budget: train on with resume=true, or lower pruning.end",
                *(100 * self.reached, self.share, self.end),
            )

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"reached": self.reached}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.reached = state_dict["reached"]


def _forget_scores(trainer: Any, step: Any) -> None:
    """Let whatever compares scores begin anew: those of a model with more weights say nothing of one with fewer."""
    for callback in (*trainer.checkpoint_callbacks, *trainer.early_stopping_callbacks):
        if isinstance(callback, BestCheckpoint | EarlyStopping):
            callback.begin_anew()
    step.schedule.begin_anew()
    step.average.begin_anew()


@torch.no_grad()
def apply_masks(masks: Masks, model: nn.Module, optimizer: Optimizer, average: dict[str, Tensor]) -> None:
    """Set weights to zero where masks are False, and what an optimizer and an average keep of them."""
    for name, weight in model.named_parameters():
        if (mask := masks.get(name)) is None:
            continue
        for value in (weight, *_kept(optimizer, weight), *([average[name]] if name in average else [])):
            value.mul_(mask)


def _kept(optimizer: Optimizer, weight: nn.Parameter) -> Iterator[Tensor]:
    """Tensors that an optimizer keeps of every number of a weight: its moments, and a master in more bits."""
    key = weight
    if isinstance(optimizer, MasterWeights):
        key = next(own for one, own in zip(optimizer.weights, optimizer.masters, strict=True) if one is weight)
        yield key
    for value in optimizer.state.get(key, {}).values():
        if isinstance(value, Tensor) and value.shape == weight.shape:
            yield value
