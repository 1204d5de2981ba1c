"""What ends one of several processes ends them all, with one line. The processes here only sleep."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq.runs.guard import Guard
from seq2seq.runs.process_state import state_of

SHORT = "guard.STOPPED = guard.SILENT = 1.0; guard.PATIENCE = 0.5; guard.COMMON = 1.0"
START = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from seq2seq.runs import guard; {SHORT}; guard.main()"
ROOT = str(Path(__file__).parents[2])


# A look at a process that takes so long that all it says and does meanwhile is seen by the next one alone.
LONG_LOOK = """
guard.TICK, look = 0.0, guard.state_of
def slowly(pid):
    guard.time.sleep(0.5)
    return look(pid)
guard.state_of = slowly
guard.main()
"""


class Watched:
    """A process that sleeps, and its guard, which it speaks to by this test."""

    def __init__(self, rank: int, port: int = 0, *, count: int = 2, wait: int = 60, start: str = START) -> None:
        self.rank = rank
        self.process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(120)"])
        options = {"rank": rank, "count": count, "local_rank": rank, "host": f"host{rank}", "machine": "m"}
        options |= {"pid": self.process.pid, "address": "127.0.0.1", "port": port, "wait": wait}
        command = [sys.executable, "-I", "-c", start, ROOT, json.dumps(options)]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.guard = subprocess.Popen(command, text=True, **streams)
        self.port = self.hear()["port"]

    def hear(self) -> dict[str, int]:
        return json.loads(self.guard.stdout.readline() or "{}")

    def tell(self, **message) -> None:
        self.guard.stdin.write(json.dumps(message) + "\n")
        self.guard.stdin.flush()

    def exit(self) -> None:
        """End well, as far as the guard can see."""
        self.process.kill()
        self.process.wait()
        self.guard.stdin.close()

    def told(self) -> str:
        """All that the guard has written to stderr; it has ended."""
        self.guard.wait(20)
        return self.guard.stderr.read()

    def close(self) -> None:
        for process in (self.process, self.guard):
            process.kill()
            process.wait()
        for stream in (self.guard.stdin, self.guard.stdout, self.guard.stderr):
            stream.close()


@pytest.fixture
def watched():
    started = []

    def start(count: int = 2, **options):
        started.append(Watched(0, count=count, **options))
        started.extend(Watched(rank, started[0].port, count=count) for rank in range(1, count))
        return started

    yield start
    for one in started:
        one.close()


def all_end(watched: list[Watched], code: int) -> None:
    """Check that every process is told to end by a code, and is ended where it does not."""
    for one in watched:
        if one.process.poll() is None and state_of(one.process.pid) != "T":
            assert one.hear() == {"stop": code}
        one.process.wait(20)


@pytest.mark.parametrize("victim", [0, 2])
def test_a_process_that_is_killed_ends_all(watched, victim):
    ranks = watched(3)
    ranks[victim].process.kill()
    ranks[victim].process.wait()
    all_end(ranks, 3)
    assert [one.told() for one in ranks] == [f"error: rank {victim} on host{victim} was killed\n", "", ""]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_stopped_ends_all_and_is_killed_itself(watched, victim):
    ranks = watched()
    ranks[victim].process.send_signal(signal.SIGSTOP)
    all_end(ranks, 3)
    assert ranks[0].told() == f"error: rank {victim} on host{victim} was stopped by a signal (SIGSTOP, SIGTSTP)\n"


def test_a_process_that_is_stopped_for_a_moment_goes_on(watched):
    ranks = watched()
    ranks[1].process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    ranks[1].process.send_signal(signal.SIGCONT)
    time.sleep(1.5)
    assert all(one.process.poll() is None and one.guard.poll() is None for one in ranks)


def test_a_machine_that_is_silent_ends_all(watched):
    ranks = watched()
    for process in (ranks[1].process, ranks[1].guard):
        process.send_signal(signal.SIGSTOP)
    all_end(ranks, 3)
    assert ranks[0].told() == "error: rank 1 on host1 has not been heard of for 1 seconds\n"
    ranks[1].guard.wait(20)


def test_what_is_raised_is_told_with_rank_and_host_and_how_to_go_on(watched, tmp_path):
    ranks = watched()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    ranks[0].tell(words={"folder": str(tmp_path), "go_on": "python train.py"})
    time.sleep(0.5)
    ranks[1].tell(cause="failed, ValueError: x", code=3)
    all_end(ranks, 3)
    assert ranks[0].told() == "error: rank 1 on host1 failed, ValueError: x; continue with python train.py\n"


def test_a_run_without_a_checkpoint_says_so(watched, tmp_path):
    ranks = watched()
    ranks[0].tell(words={"folder": str(tmp_path), "go_on": "python train.py"}, cause="failed, x", code=3)
    all_end(ranks, 3)
    assert ranks[0].told() == "error: rank 0 on host0 failed, x; no checkpoint was due yet\n"


def test_a_mistake_that_all_make_is_told_once_in_the_words_of_the_first(watched):
    ranks = watched()
    ranks[1].tell(cause="seed must be.", code=2, plain=True)
    time.sleep(0.2)
    ranks[0].tell(cause="seed must be.", code=2, plain=True)
    all_end(ranks, 2)
    assert [one.told() for one in ranks] == ["error: seed must be.\n", ""]


def test_a_mistake_of_one_is_told_with_its_rank(watched):
    ranks = watched()
    ranks[1].tell(cause="data.train=x is missing.", code=2, plain=True)
    all_end(ranks, 2)
    assert ranks[0].told() == "error: rank 1 on host1: data.train=x is missing.\n"


def test_processes_that_all_stop_by_a_signal_are_not_told_of(watched):
    ranks = watched()
    for one in ranks:
        one.tell(cause="was stopped", code=130)
        one.exit()
    assert [one.told() for one in ranks] == ["", ""]


def test_processes_that_are_through_are_not_told_of(watched):
    ranks = watched()
    for one in ranks:
        one.tell(done=1)
        one.exit()
    assert [one.told() for one in ranks] == ["", ""]


def test_what_a_process_says_while_its_guard_looks_at_it_is_heard():
    one = Watched(0, start=START.replace("guard.main()", LONG_LOOK))
    other = Watched(1, one.port)
    try:
        for each in (one, other):
            each.tell(done=1)
            each.exit()
        assert (one.told(), other.told()) == ("", "")
    finally:
        one.close()
        other.close()


def test_the_first_may_go_on_when_all_are_through(watched):
    ranks = watched()
    for one in ranks:
        one.tell(done=1)
    ranks[1].exit()
    assert ranks[1].told() == ""
    time.sleep(1.0)
    assert ranks[0].process.poll() is None


@pytest.mark.parametrize("victim", [0, 1])
def test_a_guard_that_is_killed_ends_all(watched, victim):
    ranks = watched()
    ranks[victim].guard.kill()
    other = ranks[1 - victim]
    assert other.hear() == {"stop": 3}
    told = ["rank 1 on host1 has been lost, with its guard", "rank 0 has been lost, as is known on host1"]
    assert other.told() in ["", f"error: {told[1 - victim]}\n"]


def test_a_process_that_does_not_come_ends_the_others(watched):
    (first,) = watched(1, wait=60)
    first.close()
    alone = Watched(0, count=2, wait=1)
    try:
        assert alone.hear() == {"stop": 3}
        assert alone.told() == "error: rank 1 on ? has not come within 1 seconds\n"
    finally:
        alone.close()


def test_a_child_that_ends_before_it_begins_ends_the_others(watched):
    alone = Watched(0, count=2)
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    try:
        alone.tell(children={"1": child.pid})
        assert alone.hear() == {"stop": 3}
        assert alone.told() == "error: rank 1 on host0 has ended before it began\n"
    finally:
        child.wait()
        alone.close()


def test_states_of_processes():
    assert state_of(os.getpid()) in "RSD"
    assert state_of(2**22 + 1) == ""
    assert Guard.__doc__
