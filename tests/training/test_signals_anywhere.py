"""A signal ends a run wherever it comes: in a lock, while a file is written, behind the last step."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from pytorch_lightning.loops import fit_loop

from seq2seq.training import checkpoints, interruption, saving
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.callbacks.largest_batch import LargestBatch
from seq2seq.training.interruption import Interruption
from seq2seq.training.module import Seq2SeqModule
from seq2seq.translation.translator import Translator

RUN = ["model.dropout=0.3", "trainer.val_check_interval=3", "budget.max_steps=6", "callbacks.samples.count=1",
       "saving.keep=[best,last,'every 2']"]  # fmt: skip
SECONDS = 60  # after which a run is said to hang


class HungError(Exception):
    """A run that has not ended in time."""


@pytest.fixture(autouse=True)
def _not_for_ever() -> Iterator[None]:
    def tell(number: int, frame: Any) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, tell)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def struck(monkeypatch) -> Callable[..., list[int]]:
    """Have a signal come once, before or after a method is called where `when` says so; a list of those that came."""

    def arrange(
        owner: Any, name: str, *, number: int = signal.SIGTERM, when: Callable[[], bool] = lambda: True, after=False
    ) -> list[int]:
        called, sent = getattr(owner, name), []

        def send() -> None:
            if not sent and when():
                sent.append(number)
                os.kill(os.getpid(), number)

        def sending(*given: Any, **named: Any) -> Any:
            if not after:
                send()
            found = called(*given, **named)
            if after:
                send()
            return found

        monkeypatch.setattr(owner, name, sending)
        return sent

    return arrange


def kept(folder: Path) -> dict[str, Any]:
    found = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {name: found[name] for name in ("weights", "state_dict", "optimizer_states", "global_step")}


@pytest.fixture(scope="module")
def undisturbed(train_tiny, tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    train_tiny(folder, *RUN)
    return kept(folder)


def ended_and_gone_on(train_tiny, folder: Path, undisturbed: dict[str, Any], *more: str, code: int = 143) -> None:
    folder.mkdir()
    with pytest.raises((SystemExit, KeyboardInterrupt)) as stopped:
        train_tiny(folder, *RUN, *more)
    assert getattr(stopped.value, "code", 130) == code
    assert not (folder / "metrics.json").exists()
    train_tiny(folder, *RUN, *more, resume=True)
    assert (folder / "metrics.json").exists()
    torch.testing.assert_close(kept(folder), undisturbed, rtol=0, atol=0)


def in_validation() -> bool:
    """Tell whether a validation is being scored."""
    import traceback

    return any(frame.name == "on_validation_epoch_end" for frame in traceback.extract_stack())


def test_a_signal_in_a_lock_that_another_thread_waits_for(train_tiny, struck, undisturbed, tmp_path):
    """Condition.__enter__ has taken the lock of the board's queue; what is raised there leaves it taken for ever."""
    sent = struck(threading.Condition, "__enter__", when=in_validation, after=True)
    ended_and_gone_on(train_tiny, tmp_path / "run", undisturbed, "logger=tensorboard")
    assert sent


PLACES: dict[str, tuple[Any, str]] = {
    "weights are averaged": (WeightAverage, "_write"),
    "a batch of dev is translated": (Translator, "search_lines"),
    "the board's queue is filled": (Queue, "put"),
    "a checkpoint is gathered": (Seq2SeqModule, "on_save_checkpoint"),
    "a checkpoint is written": (checkpoints, "write_whole"),
    "a step is saved": (interruption, "save_step"),
    "a validation has ended": (Seq2SeqModule, "on_validation_end"),
    "its minutes are counted": (saving.StepSaving, "on_validation_end"),
    "loops are remembered": (interruption.copy, "deepcopy"),
    "scores are made": (Interruption, "scores_are_made"),
    "the last step is done": (Seq2SeqModule, "on_train_batch_end"),
    "epochs are planned": (fit_loop._FitLoop, "setup_data"),
    "before training": (LargestBatch, "on_train_start"),
    "training has ended": (lightning.LightningModule, "on_train_end"),
}


@pytest.mark.parametrize(("place", "after"), [(place, number % 2 == 0) for number, place in enumerate(PLACES)])
def test_a_signal_anywhere_else(train_tiny, struck, undisturbed, tmp_path, place, after):
    sent = struck(*PLACES[place], after=after, when=lambda: signal.getsignal(signal.SIGTERM) != signal.SIG_DFL)
    logger = ["logger=tensorboard"] if place == "the board's queue is filled" else []
    ended_and_gone_on(train_tiny, tmp_path / "run", undisturbed, *logger)
    assert sent
