"""Ends of steps: what is saved there, and signals and a time of day at which training stops."""

import copy
import os
import signal
import threading
from contextlib import suppress
from datetime import datetime
from types import FrameType
from typing import Any

import pytorch_lightning as lightning
import torch

from seq2seq.config.invocation import owns_process
from seq2seq.ranks import first_process
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.cost import Cost
from seq2seq.training.halving import HalvedSteps
from seq2seq.training.logged import record_logged
from seq2seq.training.saving import StepSaving, save_step

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP") if hasattr(signal, name)]
_TIME = 1 << 10  # in place of a signal
_DUE = "validation_due"  # in a checkpoint of a step behind which a validation belongs


class StoppedError(Exception):
    """Training that was asked to stop by a signal or the time of day, for which a checkpoint is kept."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__("the time of day" if number == _TIME else signal.Signals(number).name)


class Interruption(lightning.Callback):
    """Stops training that is asked to: behind the step under way, or in the middle of a validation, which then comes
    again.

    A signal is noted wherever it comes, and looked for where nothing is half done: what its handler raised could leave
    a lock taken for ever. Signals that reach one process of several stop all of them behind a step. A second Ctrl-C
    stops at once, with the checkpoint of before: it kills the process of a script, and raises KeyboardInterrupt where
    Python code trains.
    """

    def __init__(self, budget: Budget, halved: HalvedSteps) -> None:
        self.budget, self.halved = budget, halved
        self.number = 0  # of the signal; 0 while there was none
        self._may_cut = False  # whether a validation is under way that may be cut
        self._due = False  # whether a validation belongs behind the last step
        self._ending: dict[str, Any] = {}  # Lightning's, where a run goes on behind the last step of an epoch
        self._loops: dict[str, Any] = {}  # Lightning's, before the validation under way; empty without one

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Handle signals in place of Lightning, from where it would; it gives them back."""
        connector = trainer._signal_connector

        def listen() -> None:
            if threading.current_thread() is threading.main_thread():
                connector._original_handlers = connector._get_current_signal_handlers()
                for number in _SIGNALS:
                    # One that is ignored stays so: nohup outlives terminals, and what a script runs in the background
                    # outlives the Ctrl-C that is meant for others.
                    if signal.getsignal(number) is not signal.SIG_IGN:
                        signal.signal(number, self._note)

        connector.register_signal_handlers = listen  # type: ignore[method-assign]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Make up for a validation that was cut, and begin the next epoch as any, behind the last step of one."""
        between = trainer.fit_loop.state_dict()
        if self._due:
            self._due = False
            trainer.fit_loop.load_state_dict(self._ending or between)
            _validate(trainer)
            if self.budget.spent(trainer.global_step) >= 1:
                trainer.should_stop = True
        if self._ending:
            trainer.fit_loop.load_state_dict(between)
            self._ending, trainer.fit_loop.restarting = {}, False

    def after_step(self, trainer: lightning.Trainer) -> None:
        """Save the step that the optimizer has just taken, where that is due; raise StoppedError if asked to stop."""
        if self.budget.until is not None and datetime.now() >= self.budget.until:
            self.number = self.number or _TIME
        saving = next((one for one in trainer.callbacks if isinstance(one, StepSaving)), None)  # type: ignore[attr-defined]
        is_time = saving is not None and trainer.is_global_zero and saving.is_time()
        number, is_time, parts = self._agreed(trainer, is_time)
        self.halved.end_step(parts)
        names = [] if saving is None else saving.numbered(trainer.global_step)
        if number or is_time or names:
            self._save(trainer, ["last", *names])
            if saving is not None:
                saving.saved()
        if number:
            raise StoppedError(number)

    def _save(self, trainer: lightning.Trainer, names: list[str]) -> None:
        """Save a step, and with it that a validation is due behind it, if so. It takes none of the budget."""
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None  # training is under way
        self._due = trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher)
        self.budget.stop()
        _log_step(trainer)
        costs = [one for one in trainer.callbacks if isinstance(one, Cost)]  # type: ignore[attr-defined]
        for cost in costs:
            cost.begin("saving")
        save_step(trainer, names)
        for cost in costs:
            cost.begin("data")
        self.budget.start()
        self._due = False

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep Lightning's place, to which a validation that is cut goes back."""
        self._loops = copy.deepcopy(trainer.fit_loop.state_dict())

    def scoring(self, trainer: lightning.Trainer) -> None:
        """Let the only process cut a validation, from here on; the average of the weights is in the model."""
        self._may_cut = trainer.world_size == 1
        self.look()

    def look(self) -> None:
        """Cut the validation under way if somebody has asked to stop: raise StoppedError."""
        if self.number and self._may_cut:
            raise StoppedError(self.number)

    def scores_are_made(self) -> None:
        """Wait for the end of the validation, from here on: what others make of its scores is not cut."""
        self._may_cut, self._loops = False, {}

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Save the step before a validation that is cut."""
        if isinstance(exception, StoppedError) and self._may_cut:
            self._may_cut, self._due = False, True
            pl_module.cut_validation()  # type: ignore[operator]  # of ours
            save_step(trainer, ["last"])

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add how far logs have come, and that a validation is due, if so; one that is under way has not begun."""
        record_logged(trainer, checkpoint)
        if self._due:
            checkpoint[_DUE] = True
            if self._loops:
                checkpoint["loops"]["fit_loop"] = self._loops

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take up whether a validation is due; close an epoch that has no step left."""
        self._due = is_validation_due(checkpoint)
        loops = checkpoint.get("loops", {}).get("fit_loop", {})
        if loops.get("epoch_loop.batch_progress", {}).get("is_last_batch"):
            self._ending = copy.deepcopy(loops)
            _close_epoch(loops)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and owns_process():
            signal.signal(number, signal.SIG_DFL)  # the next one needs nothing of Python, which may wait for a lock
            _tell_of_next()
        elif number == signal.SIGINT and self.number:
            raise KeyboardInterrupt
        self.number = number

    def _agreed(self, trainer: lightning.Trainer, is_time: bool) -> tuple[int, bool, int]:
        """The signal of any process, whether it is time to save by the first one's clock, and the most parts that any
        took its share in, in each of them."""
        if not torch.distributed.is_available() or not torch.distributed.is_initialized():
            return self.number, is_time, self.halved.parts  # of the only process
        shared = torch.tensor([self.number, is_time, self.halved.parts], device=trainer.strategy.root_device)
        torch.distributed.all_reduce(shared, torch.distributed.ReduceOp.MAX)
        number, saves, parts = shared.tolist()
        return number, bool(saves), parts


def _tell_of_next() -> None:
    """Say what another Ctrl-C does, past streams that may be half written."""
    if first_process():
        with suppress(OSError):
            os.write(2, b"\ninterrupted: stopping with a checkpoint; Ctrl-C once more stops at once, without\n")


def is_validation_due(checkpoint: dict[str, Any]) -> bool:
    """Tell whether a validation belongs behind the step of a checkpoint, which was saved when it was cut."""
    return bool(checkpoint.get(_DUE, False))


def _close_epoch(loops: dict[str, Any]) -> None:
    """Bring Lightning's place behind the last step of an epoch to that between it and the next.

    A checkpoint is made behind a step, before Lightning looks whether its epoch is over, and Lightning would take the
    next one for the same: of as many batches, from the place that was reached, and not counted.
    """
    batches = loops["epoch_loop.batch_progress"]
    batches["is_last_batch"] = False
    batches["current"] = dict.fromkeys(batches["current"], 0)
    for counts in (batches["total"], *loops["epoch_progress"].values()):
        counts.update(dict.fromkeys(counts, counts["ready"]))


def _log_step(trainer: lightning.Trainer) -> None:
    """Log what Lightning would log behind the hooks of the step, and so behind its checkpoint; it then does not."""
    connector = trainer._logger_connector
    connector.on_batch_end()
    connector.update_train_step_metrics()
    assert trainer._results is not None
    trainer._results.reset()


def _validate(trainer: lightning.Trainer) -> None:
    """Validate as Lightning does between two steps."""
    loop, connector = trainer.fit_loop.epoch_loop, trainer._logger_connector
    loop.val_loop.restarting = False
    first, trainer.validating = connector._first_loop_iter, True
    loop.val_loop.run()
    connector._first_loop_iter, trainer.training = first, True
