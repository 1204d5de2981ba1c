"""A process ends with the one that started it."""

import os
import subprocess
import sys
import time

from seq2seq.commands.training import starter
from seq2seq.commands.training.starter import attended, end_with_starter

CHILD = """
import time
from seq2seq.commands.training import starter
starter._SECONDS = 0.05
starter.end_with_starter()
print("here", flush=True)
time.sleep(120)
"""

STARTER = f"""
import os, subprocess, sys, time
from seq2seq.commands.training.starter import attended
subprocess.Popen([sys.executable, "-c", {CHILD!r}], env=os.environ | attended())
time.sleep(120)
"""


def test_a_process_whose_starter_is_killed_ends():
    parent = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"here\n"
    parent.kill()
    started = time.monotonic()
    parent.communicate(timeout=60)  # ends when the child, which writes there too, has ended
    assert time.monotonic() - started < 60


def test_a_process_that_nobody_attends_goes_on(monkeypatch):
    monkeypatch.delenv(starter._STARTER, raising=False)
    monkeypatch.setattr("threading.Thread.start", lambda thread: 1 / 0)
    end_with_starter()


def test_a_child_does_not_hand_its_starter_on(monkeypatch):
    monkeypatch.setattr("threading.Thread.start", lambda thread: None)
    for name, value in attended().items():
        monkeypatch.setenv(name, value)
    end_with_starter()
    assert starter._STARTER not in os.environ
