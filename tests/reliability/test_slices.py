"""Short slices of what is run by hand for minutes, and streams that fail under translate."""

import shlex
import subprocess
import sys
import threading
import time

import pytest
from processes import ROOT
from random_faults import Trials
from soak import Pace, soak

pytestmark = pytest.mark.slow


def test_random_faults_are_one_line_and_leave_nothing_half_written(tmp_path):
    tally = Trials(1, tmp_path).run(20)
    assert not tally.wrong, tally


def test_a_run_that_is_killed_at_random_is_the_undisturbed_one(tmp_path):
    tally = soak(60, 1, tmp_path, Pace(steps=200, most=2.0))
    assert not tally.wrong, tally
    assert tally.rounds
    assert not tally.missed, tally


@pytest.fixture
def translate(finished):
    """A process that translates stdin."""
    command = [sys.executable, str(ROOT / "scripts" / "translate.py"), f"run={finished}", "threads=1", "buffer=50"]
    return lambda **streams: subprocess.Popen(command, stdin=subprocess.PIPE, **streams)


def test_bytes_that_are_no_text_and_a_reader_that_stalls_lose_no_line(translate):
    lines = [b"a b"] * 400 + [b"\xff\xfe a", b"\x00", b"", b"a\xc3"] + [b"b a"] * 400
    with translate(stdout=subprocess.PIPE) as process:
        feeding = threading.Thread(
            target=lambda: (process.stdin.write(b"\n".join(lines) + b"\n"), process.stdin.close())
        )
        feeding.start()
        time.sleep(10)
        said = process.stdout.read()
        feeding.join()
    assert process.returncode == 0
    assert said.count(b"\n") == len(lines)
    said.decode("utf-8")


def test_a_reader_that_goes_away_is_no_mistake(finished):
    script = shlex.quote(str(ROOT / "scripts" / "translate.py"))
    line = f"yes 'a b' | {sys.executable} {script} run={finished} threads=1 | head -n 1; echo ${{PIPESTATUS[1]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=200, check=False)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""
