"""A run works wherever its process has gone since, and leaves that as it was, from the first import on."""

import os
import shutil
import subprocess
import sys
import threading

import pytest

import seq2seq
from seq2seq.commands.building.loggers import build_loggers
from seq2seq.library.undisturbed import undisturbed

# What a process has that training could change; of a gc that is frozen, garbage of the caller's would stay for ever.
PROGRAM = """
import gc, os, signal, sys, threading
import seq2seq

def state():
    signals = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    hooks = [sys.excepthook, sys.unraisablehook, threading.excepthook, sys.stdout, sys.stderr, sys.argv[:], sys.path[:]]
    return [dict(os.environ), gc.isenabled(), gc.get_freeze_count(), os.getcwd(), signals, hooks, threading.enumerate()]

before = state()
small = {"model": {"embedding_size": 8, "encoder.hidden_size": 4, "decoder": {"hidden_size": 8, "feature_size": 8}}}
run = seq2seq.train(
    [("ab", "b a"), ("ba", "a b")], run_dir="run", verbose=False, threads=1, budget__max_steps=1, logger="none",
    precision="32-true", **small
)
run.translate("ab"), run.evaluate([("ab", "b a")]), run.interpret("ab", steps=2)
for one, other in zip(before, state(), strict=True):
    assert one == other, (one, other)
"""


def test_a_process_that_trains_first_is_left_as_it_was(tmp_path):
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TORCHINDUCTOR", "PYTORCH_NVML"))}
    line = [sys.executable, "-c", PROGRAM]
    found = subprocess.run(line, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, ""), found.stderr


def test_a_hook_of_threads_is_put_back_and_told_of_other_mistakes_meanwhile(tmp_path, monkeypatch):
    told: list[BaseException] = []
    monkeypatch.setattr(threading, "excepthook", hook := lambda failure: told.append(failure.exc_value))
    board = {"_target_": "pytorch_lightning.loggers.TensorBoardLogger", "_partial_": True}
    with undisturbed():
        for _ in range(2):
            build_loggers({"logger": {"board": board}}, tmp_path)
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        assert threading.excepthook is not hook
        assert threading.excepthook.before is hook
    assert threading.excepthook is hook
    assert [type(error) for error in told] == [ZeroDivisionError]


@pytest.fixture
def moved(finished, tmp_path, monkeypatch) -> seq2seq.Run:
    """A run that was loaded by a relative path, in a process that has gone somewhere else since."""
    shutil.copytree(finished, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    run = seq2seq.load("run")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    return run


def test_the_working_folder_may_be_another_one_later(moved, finished):
    run = seq2seq.load(finished)
    assert moved.path.is_absolute()
    assert moved.translate("bcd", decoding="beam") == run.translate("bcd", decoding="beam")
    assert moved.interpret("bcd", steps=2).reading.training is not None
    assert seq2seq.ensemble([moved]).translate("bcd") == run.translate("bcd")
    assert moved.scores == run.scores


def test_a_run_whose_folder_is_gone_answers_and_says_what_it_is(moved):
    answer = moved.translate("bcd")
    shutil.rmtree(moved.path)
    assert moved.translate("bcd") == answer
    assert moved.interpret("bcd", steps=2).output == answer
    assert repr(moved).startswith(f"Run('{moved.path}': ")
    assert "step" in moved._repr_html_()
