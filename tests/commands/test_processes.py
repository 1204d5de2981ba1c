"""Several processes of a training: they agree at the start, and what ends one ends all, in one line."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq.runs.process_state import state_of

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "scripts" / "train.py")
DDP = [sys.executable, SCRIPT, "trainer=ddp", "trainer.devices=2"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=1"]
HOST = re.escape(socket.gethostname())


def torchrun(*options: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", *options, SCRIPT, "trainer=torchrun"]


def environment(**more: str) -> dict[str, str]:
    paths = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths} | more


def started(command: list[str], *overrides: str, **more: str) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *overrides], env=environment(**more), text=True, cwd=ROOT, **pipes)


def pids_of(folder: Path) -> list[int]:
    """Processes whose command names a run folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if f"run_dir={folder}".encode() in words and state_of(int(path.parent.name)) not in ("", "Z"):
            found.append(int(path.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize(
    ("command", "rank", "kind", "cause"),
    [
        (DDP, 1, "SIGKILL", "was killed"),
        (DDP, 1, "SIGSTOP", r"was stopped by a signal \(SIGSTOP, SIGTSTP\)"),
        (DDP, 1, "raise", r"failed, RuntimeError: a fault \(traceback in .*\.txt\)"),
        (torchrun("--standalone", "--nproc-per-node=2"), 0, "memory", r"ran out of memory, MemoryError \(traceback.*"),
        (torchrun("--standalone", "--nproc-per-node=2"), 0, "SIGKILL", "was killed"),
    ],
)
def test_what_ends_one_process_ends_all_with_a_line_and_a_checkpoint(tiny_run, tmp_path, command, rank, kind, cause):
    folder = tmp_path / "run"
    fault = f"+callbacks.fault={{_target_:faulty.Fault,rank:{rank},step:12,kind:{kind}}}"
    still = ["budget.max_steps=100000", "trainer.val_check_interval=10", "trust=[faulty]", f"run_dir={folder}"]
    run = started(command, *tiny_run, *still, fault)
    _, said = run.communicate(timeout=400)
    ended = time.monotonic()
    assert run.returncode == (3 if command is DDP else 1), said  # torchrun has a code of its own
    told = rf"error: rank {rank} on {HOST} {cause}; continue with python .*run_dir={re.escape(str(folder))} resume=true"
    assert len(re.findall(told, said)) == 1, said
    assert said.count("error: rank") == 1
    assert "Traceback" not in said or command is not DDP
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    while pids_of(folder):
        assert time.monotonic() - ended < 30
        time.sleep(0.2)
