"""Several processes of a training: they agree at the start, and what ends one ends all, in one line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.testing import assert_close

from seq2seq import control_groups
from seq2seq.commands.building.trainer import build_trainer
from seq2seq.commands.training import processes
from seq2seq.commands.training.processes import shares
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.errors import DivergedError, UserError
from seq2seq.ranks import Ranks
from seq2seq.runs.automatic import nominal
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.folder_bytes import packed, unpacked
from seq2seq.runs.guarded import is_consequence, told
from seq2seq.runs.process_state import state_of
from seq2seq.training.processes import Processes

ROOT = Path(__file__).parents[3]
SCRIPT = str(ROOT / "scripts" / "train.py")
DDP = [sys.executable, SCRIPT, "trainer=ddp", "trainer.devices=2"]
PRINTED = "__import__('os').environ['OMP_NUM_THREADS']"
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


@pytest.mark.parametrize(("given", "threads"), [(None, 2), ("5", 5)])
def test_processes_that_are_started_share_what_a_quota_leaves(monkeypatch, given, threads):
    """All have as many threads, also the first, which takes back what it had."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(control_groups, "quota", lambda root: 6)
    monkeypatch.setattr(control_groups.os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    monkeypatch.setattr(processes, "met", lambda own: nullcontext(MagicMock(port=1)))
    monkeypatch.setattr(processes, "_command", lambda: [sys.executable, "-c", f"assert {PRINTED} == '{threads}'"])
    before, at_first = torch.get_num_threads(), dict(os.environ)
    children, popen = [], subprocess.Popen
    keep = lambda *args, **options: children.append(popen(*args, **options)) or children[-1]  # noqa: E731
    monkeypatch.setattr(processes.subprocess, "Popen", keep)
    with processes._started(3):
        assert torch.get_num_threads() == (threads if given is None else before)
    assert [child.returncode for child in children] == [0, 0]
    assert (torch.get_num_threads(), dict(os.environ)) == (before, at_first)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize(
    ("command", "rank", "kind", "cause"),
    [
        (DDP, 1, "SIGKILL", "was killed"),
        (DDP, 1, "SIGSTOP", r"was stopped by a signal \(SIGSTOP, SIGTSTP\)"),
        (DDP, 1, "raise", r"failed, RuntimeError: a fault \(traceback in .*\.txt\)"),
        (
            torchrun("--standalone", "--nproc-per-node=2"),
            0,
            "memory",
            r"ran out of memory: .* for step 12 .*",
        ),
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


@pytest.mark.slow
def test_memory_that_one_process_is_short_of_changes_nothing_for_all(tiny_run, tmp_path):
    """It takes its share in parts while the other waits: forward in the first process, back in the second."""
    still = ["model.dropout=0.0", "optimizer.eps=1e-3", "budget.max_steps=4", "trainer.val_check_interval=4"]
    short = "memory was not enough for "
    told = {
        "whole": "",
        "forward": f"{short}a batch (",
        "backward": f"{short}another process's share of a batch, which is taken in 2 parts, the first time: where",
    }
    found = {}
    for rank, (where, line) in enumerate(told.items(), -1):
        fault = f"+callbacks.fault={{_target_:faulty.Short,rank:{rank},step:2,where:{where}}}"
        run = started(
            DDP, *tiny_run, *still, *([fault, "trust=[faulty]"] if line else []), f"run_dir={tmp_path / where}"
        )
        _, said = run.communicate(timeout=300)
        assert run.returncode == 0, said
        assert said.count(short) == bool(line), said
        assert line in said
        record = json.loads((tmp_path / where / "metrics.json").read_text())
        assert record.get("halved_steps", 0) == bool(line)
        found[where] = torch.load(tmp_path / where / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert_close(found["forward"], found["whole"], atol=1e-5, rtol=0)
    assert_close(found["backward"], found["whole"], atol=1e-5, rtol=0)


NEXT = "interrupted: stopping with a checkpoint; Ctrl-C once more stops at once, without"


@pytest.mark.slow
def test_a_second_ctrl_c_ends_a_script_that_waits_for_ever(tiny_run, tmp_path):
    there, folder = tmp_path / "there", tmp_path / "run"
    fault = [f"+callbacks.fault={{_target_:faulty.Stuck,step:5,path:{there}}}", "trust=[faulty]"]
    options = ["saving.keep=[best,last,every 4]", "trainer.val_check_interval=100", *fault, f"run_dir={folder}"]
    with started([sys.executable, SCRIPT], *tiny_run, *options) as run:
        while not there.exists():
            assert run.poll() is None
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        assert run.stderr is not None
        while (line := run.stderr.readline()) != f"{NEXT}\n":
            assert line, "it has ended"
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=5) == -signal.SIGINT
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt", whole=True)["global_step"] == 4


def node(number: int, port: int, address: str = "127.0.0.1") -> list[str]:
    """The command of one of two machines, which meet at a port."""
    place = [f"--rdzv-endpoint={address}:{port}", "--rdzv-backend=c10d", "--rdzv-id=7", f"--local-addr={address}"]
    return torchrun("--nnodes=2", "--nproc-per-node=1", *place)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


SHORT = ["budget.max_steps=3", "trainer.val_check_interval=3"]


@pytest.mark.slow
def test_machines_whose_clocks_differ_share_the_folder_of_the_first(tiny_run, tmp_path):
    """The second one starts two seconds later, and would name the folder so."""
    port, folder = free_port(), f"run_dir={tmp_path}/${{now:%H-%M-%S}}"
    first = started(node(0, port), *tiny_run, *SHORT, folder)
    time.sleep(2)
    second = started(node(1, port), *tiny_run, *SHORT, folder)
    told = [run.communicate(timeout=400) for run in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], told
    (made,) = tmp_path.iterdir()
    assert (made / "metrics.json").is_file()
    said = "".join(err for _, err in told)
    assert said.count("model: ") == said.count("2 processes on 2 machines: batches.max_tokens=") == 1
    assert "".join(out for out, _ in told).count("best checkpoint:") == 1


def as_srun_sets(rank: int, port: int) -> dict[str, str]:
    """Variables of one of two tasks on this machine."""
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_STEP_ID": "0", "SLURM_NODELIST": "127.0.0.1"}
    tasks = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "SLURM_NODEID": "0"}
    own = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return job | tasks | own


@pytest.mark.slow
def test_tasks_of_slurm_train_together(tiny_run, tmp_path):
    port, command = free_port(), [sys.executable, SCRIPT, "trainer=slurm"]
    both = [
        started(command, *tiny_run, *SHORT, f"run_dir={tmp_path}/run", **as_srun_sets(rank, port)) for rank in range(2)
    ]
    told = [run.communicate(timeout=400) for run in both]
    assert [run.returncode for run in both] == [0, 0], told
    assert "2 processes: batches.max_tokens=" in told[0][1]
    assert told[1] == ("", "")  # the first one's words are all


@pytest.mark.slow
def test_jobs_of_a_sweep_start_processes_of_their_own(tiny_run, tmp_path):
    run = started([*DDP[:2], "--multirun", *DDP[2:]], *tiny_run, *SHORT, "seed=1,2", f"run_dir={tmp_path}/sweep")
    out, said = run.communicate(timeout=400)
    assert run.returncode == 0, said
    assert [path.name for path in sorted((tmp_path / "sweep").iterdir()) if path.is_dir()] == ["0", "1"]
    assert all((tmp_path / "sweep" / job / "metrics.json").is_file() for job in "01")
    assert out.count("best checkpoint:") == 2
    assert said.count("2 processes: batches.max_tokens=") == 2


@pytest.mark.parametrize(
    ("trainer", "variables", "line"),
    [
        ("torchrun", {}, "trainer.strategy.started_by=torchrun needs its command, but nobody has started several "),
        ("slurm", {}, "trainer.strategy.started_by=srun needs its command, but nobody has started several processes"),
        (
            "torchrun",
            as_srun_sets(0, 1),
            "trainer.strategy.started_by=torchrun needs its command, but srun has started",
        ),
        (
            "auto",
            as_srun_sets(0, 1),
            "trainer must be one for several processes, as srun has started 2: add trainer=sl",
        ),
    ],
)
def test_trainers_are_refused_to_who_has_started_the_processes_otherwise(
    tiny_config, tmp_path, monkeypatch, trainer, variables, line
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"^{line}"):
        build_trainer(nominal(tiny_config(f"trainer={trainer}", "trainer.accelerator=cpu")), tmp_path)


BATCH = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_PROCID": "0"}


@pytest.mark.parametrize(
    "left",
    [
        {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "3", "MASTER_ADDR": "10.0.0.9", "MASTER_PORT": "1"},
        {**BATCH, "SLURM_NODELIST": "n[1-2]", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"},
        {**BATCH, "SLURM_STEP_ID": "4294967290", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"},
    ],
    ids=["another run's", "a batch script's", "a shell's of salloc"],
)
def test_what_a_job_has_left_in_the_environment_changes_nothing_of_a_run_alone(
    tiny_config, tmp_path, monkeypatch, left
):
    monkeypatch.setattr(rank_zero_only, "rank", int(left.get("RANK", left.get("SLURM_PROCID", "0"))))  # at its import
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    trainer = build_trainer(nominal(tiny_config("logger=csv", "trainer.accelerator=cpu")), tmp_path)
    assert (trainer.world_size, trainer.is_global_zero, rank_zero_only.rank) == (1, True, 0)
    trainer.logger.log_metrics({"loss": 1.0}, 0)
    trainer.logger.save()
    assert (tmp_path / "metrics" / "metrics.csv").read_text().splitlines()[1:] == ["1.0,0"]


@pytest.mark.parametrize(("option", "value"), [("started_by", "hand"), ("sum_in", "int8")])
def test_other_values_are_refused(option, value):
    with pytest.raises(UserError, match=f"^{option} must be one of .*, but is '{value}'"):
        Processes(**{option: value})


def test_gradients_are_rounded_between_gpus_alone(tiny_config, tmp_path):
    config = tiny_config("trainer=ddp", "trainer.devices=2", "trainer.strategy.sum_in=bfloat16")
    with pytest.raises(UserError, match="^trainer.strategy.sum_in=bfloat16 needs GPUs, as torch rounds gradients on"):
        build_trainer(nominal(config), tmp_path)
    assert Processes(sum_in="bfloat16")._ddp_comm_hook is bf16_compress_hook
    assert Processes()._ddp_comm_hook is None


def test_what_the_budget_of_a_batch_is_for_each_process_is_said(splits_of_pairs):
    data = Seq2SeqDataModule(**splits_of_pairs, max_tokens=4096)
    assert shares(Ranks(0, 4, 0, 2), data) == (
        "4 processes on 2 machines: batches.max_tokens=4096 counts over all of them, about 1024 for each"
    )
    assert shares(Ranks(0, 2, 0, 2), data).startswith("2 processes: batches.max_tokens=4096 counts over all of them,")


@pytest.fixture
def splits_of_pairs(letters):
    examples = [Example("ab", ("12",))]
    return {"splits": Splits(examples, examples), "tokenizers": letters}


def test_a_mistake_of_the_user_is_plain_and_others_have_a_traceback(tmp_path):
    assert told(UserError("seed must be."), tmp_path) == {"cause": "seed must be.", "code": 2, "plain": True}
    assert told(DivergedError("x"), tmp_path)["code"] == 3
    try:
        raise ValueError("a\nb")
    except ValueError as error:
        found = told(error, tmp_path)
    (written,) = tmp_path.iterdir()
    assert found == {"cause": f"failed, ValueError: a (traceback in {written})", "code": 3}
    assert "raise ValueError" in written.read_text()


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1"), True),
        (torch.distributed.DistNetworkError("x"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("gloo"), False),
    ],
)
def test_a_lost_connection_is_what_another_end_leads_to(error, lost):
    assert is_consequence(error) == lost


def test_folders_travel_as_bytes(tmp_path):
    (tmp_path / "source.model").write_bytes(b"\x00\xff")
    with unpacked(packed(tmp_path)) as folder:
        assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("source.model", b"\x00\xff")]
