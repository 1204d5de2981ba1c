"""Logs of runs that are killed and resumed, wherever that is: every row of the uninterrupted one, once."""

import csv
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from seq2seq.training.module import Seq2SeqModule

# What depends on the clock, or is made of the run as a whole.
TIMED = ("train/target_tokens_per_second", "dev/seconds", "memory/peak_mib")
RUN = ["logger=[tensorboard,csv]", "schedule=constant", "trainer.val_check_interval=3", "model.dropout=0.3"]
RUN += ["callbacks.samples.count=1", "budget.max_steps=10", "averaging.decay=0.5"]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics" / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key not in TIMED} for row in csv.DictReader(file)]


def boards(folder: Path) -> list[Path]:
    """Files of events, in the order in which they were written; those of one second have names in none."""
    return sorted((folder / "tensorboard").glob("events.*"), key=lambda path: path.stat().st_mtime_ns)


def events(folder: Path) -> list[tuple[int, str]]:
    """Steps and names of all that is on the board, in its order, but for the configs that each start adds."""
    found = []
    for path in boards(folder):
        for event in EventFileLoader(str(path)).Load():
            found += [(event.step, value.tag) for value in event.summary.value]
    return [(step, name) for step, name in found if name.partition("/")[0] != "config"]


def values(folder: Path) -> dict[tuple[int, str], Any]:
    found = {}
    for path in boards(folder):
        for event in EventFileLoader(str(path)).Load():
            numbers = [one for one in event.summary.value if one.metadata.plugin_data.plugin_name == "scalars"]
            found |= {(event.step, one.tag): list(one.tensor.float_val) for one in numbers if one.tag not in TIMED}
    return found


@pytest.fixture(scope="module")
def whole(train_tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_tiny(folder, *RUN)
    return folder


@pytest.fixture
def end_at(monkeypatch):
    """End training at a step: by a signal, else as if the process was killed; once."""

    def arrange(step: int, *, by_signal: bool) -> None:
        training_step, ended = Seq2SeqModule.training_step, []

        def ending(self, *arguments):
            if self.global_step == step and not ended:
                ended.append(step)
                if not by_signal:
                    raise RuntimeError("killed")
                os.kill(os.getpid(), signal.SIGTERM)
            return training_step(self, *arguments)

        monkeypatch.setattr(Seq2SeqModule, "training_step", ending)

    return arrange


@pytest.mark.parametrize(
    ("step", "by_signal", "options"),
    [
        (5, False, []),
        (5, False, ["saving.every_minutes=1e-9"]),
        (8, False, ["saving.keep=[best,last,every 2]"]),
        (4, True, []),
        (5, True, []),  # where a validation belongs behind the step
        (7, True, ["trainer.log_every_n_steps=2"]),
    ],
)
def test_every_row_is_there_once(train_tiny, whole, tmp_path, end_at, step, by_signal, options):
    if options and "log_every" in options[0]:
        whole = tmp_path / "whole"
        train_tiny(whole, *RUN, *options)
    end_at(step, by_signal=by_signal)
    with pytest.raises((RuntimeError, SystemExit)):
        train_tiny(tmp_path / "parted", *RUN, *options)
    train_tiny(tmp_path / "parted", *RUN, *options, resume=True)
    assert rows(tmp_path / "parted") == rows(whole)
    assert events(tmp_path / "parted") == events(whole)
    assert values(tmp_path / "parted") == values(whole)
    named = [event for event in events(whole) if event[1] != "epoch"]  # which comes with scores of dev, too
    assert len(set(named)) == len(named)


def test_a_run_that_goes_on_after_its_end_ends_once(train_tiny, whole, tmp_path):
    train_tiny(tmp_path, *RUN[:-2], "budget.max_steps=6", "averaging.decay=0.5")
    train_tiny(tmp_path, *RUN, resume=True)
    assert events(tmp_path) == events(whole)
